"""Who may open what the API answers, so that nobody is led to a refusal."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import Match

from api.auth import RANK, Role, require

MOST = 4096  # addresses that are remembered


class Rights:
    """The least role of each address of ``main`` that is asked for. Safe for threads."""

    def __init__(self, main: FastAPI) -> None:
        self._main = main
        self._known: dict[str, Role | None] = {}

    def opens(self, address: str, role: Role) -> bool:
        """Whether somebody of that role may GET an address of the API; False where there is no such address."""
        path = urlsplit(address).path
        if path not in self._known:
            if len(self._known) >= MOST:
                self._known.clear()
            self._known[path] = self._least(path)
        least = self._known.get(path) or self._least(path)  # another thread may have cleared them
        return least is not None and RANK[role] >= RANK[least]

    def _least(self, path: str) -> Role | None:
        scope = {"type": "http", "method": "GET", "path": path, "headers": [], "root_path": ""}
        for found in iter_route_contexts(self._main.routes):
            route: Any = found
            if route.path.startswith("/v1/") and route.matches(scope)[0] is Match.FULL:
                return _asked(route.dependant)
        return None


def _asked(dependant: Any) -> Role:
    """The highest role that a route asks for anywhere; an annotator's where it asks for none."""
    asked = [role for role in Role if _asks(dependant, require(role))]
    return max(asked, key=RANK.__getitem__, default=Role.ANNOTATOR)


def _asks(dependant: Any, call: Any) -> bool:
    return any(one.call is call or _asks(one, call) for one in dependant.dependencies)
