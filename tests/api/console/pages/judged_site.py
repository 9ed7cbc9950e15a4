"""A site whose decisions of two days ago were judged by gold, made of the gilded one; and how a browser asks it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from api.auth import COOKIE, Role
from api.console.sessions import sign_in
from api.daily_qa import sample_day, take_in
from api.server import build_app
from api.service import Service
from tests.api.client import call
from tests.api.gold import regilded
from tests.api.routes.conftest import Site, give_keys
from tests.api.site import HARM

DAY = (datetime.now(UTC) - timedelta(days=2)).date().isoformat()
JSON = {"Accept": "application/json"}


def decisions(count: int = 100) -> list[dict[str, Any]]:
    """What speaks of vermin violates; every fifth decision is wrong, and all of them are by one team."""
    told = []
    for n in range(count):
        bad = (n % 2 == 1) != (n % 5 == 0)
        told.append(
            {
                "decision_id": f"d-{n}",
                "source": "human",
                "who": f"mod-{n % 3}",
                "item": f"post-{n}",
                "policy": HARM,
                "outcome": "violates" if bad else "ok",
                "rule": "general" if bad else None,
                "decided_at": f"{DAY}T12:{n // 60:02}:{n % 60:02}Z",
                "project": "forum" if n % 4 else "chat",
                "team": "night" if n % 5 == 0 else "day",
            }
        )
    return told


@contextmanager
def judged(gilded: Path, folder: Path) -> Iterator[Site]:
    """That site, its day sampled."""
    goldfold = regilded(gilded, folder)
    with Service(goldfold.settings, goldfold) as service:
        take_in(goldfold, decisions())
        sample_day(goldfold, DAY, budget=100)
        yield give_keys(Site(build_app(service), service))


class Browser:
    """A session of a role's key: what a page says, and forms with its token."""

    def __init__(self, site: Site, role: Role = Role.LEAD) -> None:
        self._site = site
        self._cookie = sign_in(site.goldfold.ledger, site.keys[role], 8)

    def get(self, path: str) -> httpx.Response:
        return call(self._site.app, "GET", path, headers=self._headers)

    def post(self, path: str, form: dict[str, str] | None = None, **more: Any) -> httpx.Response:
        """Post a form as a page of the console holds it."""
        return call(self._site.app, "POST", path, headers=self._headers, data={"csrf": self.csrf, **(form or {})}, **more)

    def page(self, path: str) -> str:
        """What a page says, its tags left out."""
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        return words(answer.text)

    def back(self, path: str, form: dict[str, str] | None = None, **more: Any) -> str:
        """Where a form that was taken leads."""
        answer = self.post(path, form, **more)
        assert answer.status_code == 303, words(answer.text)
        return answer.headers["location"]

    @property
    def csrf(self) -> str:
        found = re.search(r'name="csrf" value="([^"]+)"', self.get("/console/policies").text)
        assert found is not None
        return found[1]

    @property
    def _headers(self) -> dict[str, str]:
        return {"Cookie": f"{COOKIE}={self._cookie}"}


def words(html: str) -> str:
    """A page without its tags, spaces made one."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))
