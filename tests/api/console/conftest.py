"""A console over a small site, in process: who asks by key or by session."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api.auth import COOKIE, Role, make_key, session_of
from api.composition import Goldfold
from api.console.sessions import sign_in
from api.server import build_app
from api.service import Service
from tests.api.client import call
from tests.api.console.seeded import copied, seed
from tests.api.gold import gold_settings
from tests.api.site import WordGoldfold, settings

HTML = {"Accept": "text/html"}
JSON = {"Accept": "application/json"}


@dataclass
class Console:
    """The app, a key of each role, and what their sessions send."""

    app: FastAPI
    goldfold: Goldfold
    keys: dict[Role, str]
    cookies: dict[Role, str] = field(default_factory=dict)

    def get(
        self, path: str, role: Role | None = Role.LEAD, headers: dict[str, str] = HTML, **more: Any
    ) -> httpx.Response:
        """A page as somebody of that role; None: as nobody."""
        return call(self.app, "GET", path, key=None if role is None else self.keys[role], headers=headers, **more)

    def json(self, path: str, role: Role = Role.LEAD) -> dict[str, Any]:
        """The same page's numbers; a site that has none yet says why by its status and ``unavailable``."""
        answer = self.get(path, role, JSON)
        assert answer.status_code in (200, 202) or answer.json().get("unavailable"), answer.text
        told: dict[str, Any] = answer.json()
        return told

    def settled(self, path: str, role: Role = Role.LEAD) -> dict[str, Any]:
        """The same once nothing on the page is on its way."""
        for _ in range(30):
            told = self.json(path, role)
            if not told["pending"]:
                return told
        raise AssertionError(f"{path}: {told['pending']} never came")

    def csrf(self, role: Role = Role.LEAD) -> str:
        """What a form of that role's session carries."""
        session = session_of(self.goldfold.ledger, self.session(role))
        assert session is not None
        return session.csrf

    def session(self, role: Role = Role.LEAD) -> str:
        """The cookie of a session of that role."""
        if role not in self.cookies:
            self.cookies[role] = sign_in(self.goldfold.ledger, self.keys[role], 1)
        return self.cookies[role]

    def post(
        self, path: str, form: dict[str, Any], role: Role = Role.LEAD, *, csrf: str | None = None
    ) -> httpx.Response:
        """A form of that role's session; its own csrf unless another one is given."""
        token = self.csrf(role) if csrf is None else csrf
        headers = {**HTML, "Cookie": f"{COOKIE}={self.session(role)}"}
        return call(self.app, "POST", path, data={**form, "csrf": token}, headers=headers)


@contextmanager
def opened(goldfold: Goldfold) -> Iterator[Console]:
    """A console on a Goldfold whose service runs; a process has one at a time."""
    keys = {}
    for role in Role:
        key, keys[role] = make_key(f"{role}@example.com", role)
        goldfold.ledger.keys.add(key)
    with Service(goldfold.settings, goldfold) as service:
        app = build_app(service)
        app.state.answers.dear_s = float("inf")  # on a busy machine anything may take long: what changed shows at once
        yield Console(app, goldfold, keys)
        app.state.answers.close()


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a site that has lived for two months (``tests.api.console.seeded``); not to be written to."""
    folder = tmp_path_factory.mktemp("seeded") / "site"
    seed(folder)
    return folder


@pytest.fixture(scope="module")
def lived(seeded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A console on a copy of that site."""
    with opened(copied(seeded, tmp_path_factory.mktemp("lived") / "site")) as console:
        yield console


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """Of a site where nothing has happened yet."""
    with opened(WordGoldfold(settings(tmp_path_factory.mktemp("bare")))) as console:
        yield console


@pytest.fixture(scope="module")
def golden(gilded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """Of a site with gold: one round, one golden version."""
    folder = tmp_path_factory.mktemp("golden") / "data"
    shutil.copytree(gilded, folder)
    with opened(WordGoldfold(gold_settings(folder))) as console:
        yield console
