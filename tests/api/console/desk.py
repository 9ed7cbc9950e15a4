"""A console in process: a site with gold and a running service behind it, and somebody signed in at it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import httpx

from api.auth import Role
from api.server import build_app
from api.service import Service
from tests.api.client import call
from tests.api.gold import regilded
from tests.api.routes.conftest import Site, give_keys


@dataclass(frozen=True, slots=True)
class Desk:
    """Somebody signed in at the console."""

    site: Site
    cookies: str

    def get(self, path: str) -> httpx.Response:
        return call(self.site.app, "GET", path, headers={"Cookie": self.cookies, "Accept": "text/html"})

    def post(self, path: str, on: str = "", **form: str) -> httpx.Response:
        """Send a form, with the token of the page ``on`` where one is given."""
        if on:
            found = re.search(r'name="csrf" value="([^"]+)"', self.get(on).text)
            assert found is not None
            form["csrf"] = found[1]
        headers = {"Cookie": self.cookies, "Content-Type": "application/x-www-form-urlencoded"}
        return call(self.site.app, "POST", path, headers=headers, content=urlencode(form))


def sign_in(site: Site, role: Role) -> Desk:
    answer = call(site.app, "POST", "/console/sign-in", data={"key": site.keys[role]})
    assert answer.status_code == 303
    return Desk(site, "; ".join(f"{name}={value}" for name, value in answer.cookies.items()))


@contextmanager
def gold_site(gilded: Path, folder: Path) -> Iterator[Site]:
    """The site of ``tests.api.gold``, with its service running and a key a role."""
    goldfold = regilded(gilded, folder)
    with Service(goldfold.settings, goldfold) as service:
        yield give_keys(Site(build_app(service), service))
