"""The whole app over a running service: real ledger, lake and jobs in the test's folder, no Label Studio, no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api.auth import Role, make_key
from api.server import build_app
from api.service import Service
from tests.api.client import assert_problem, call
from tests.api.site import WordGoldfold, settings


@dataclass
class Site:
    """The app, the service behind it, and how to ask it under a role."""

    app: FastAPI
    service: Service
    keys: dict[Role, str] = field(default_factory=dict)

    @property
    def goldfold(self) -> WordGoldfold:
        found = self.service.goldfold
        if not isinstance(found, WordGoldfold):
            raise TypeError("the service was made with another Goldfold")
        return found

    def ask(self, method: str, path: str, role: Role | None = Role.ENGINEER, **more: Any) -> httpx.Response:
        """One request under a role's key."""
        return call(self.app, method, path, key=None if role is None else self.keys[role], **more)

    def get(self, path: str, role: Role = Role.ENGINEER) -> Any:
        """What a GET answers with 200."""
        response = self.ask("GET", path, role)
        assert response.status_code == 200, response.text
        return response.json()

    def refused(self, method: str, path: str, needs: Role, **more: Any) -> None:
        """Every role below ``needs`` is refused."""
        roles = list(Role)
        for role in roles[: roles.index(needs)]:
            named = min(needs, Role.VIEWER, key=roles.index) if role is Role.ANNOTATOR else needs
            assert_problem(self.ask(method, path, role, **more), 403, f"needs the role {named}")


def give_keys(site: Site) -> Site:
    """A key for each role."""
    for role in Role:
        key, site.keys[role] = make_key(f"test {role}", role)
        site.service.goldfold.ledger.keys.add(key)
    return site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    given = settings(tmp_path, studio_webhook_secret="hush", partitions={"train": 0.6, "dev": 0.4})
    with Service(given, WordGoldfold(given)) as service:
        yield give_keys(Site(build_app(service), service))
