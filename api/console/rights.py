"""Who may open what the API answers, so that nobody is led to a refusal."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import Match

from api.auth import RANK, Role, require


def may_open(main: FastAPI, address: str, role: Role) -> bool:
    """Whether somebody of that role may GET an address of the API; False where there is no such address."""
    scope = {"type": "http", "method": "GET", "path": urlsplit(address).path, "headers": [], "root_path": ""}
    for found in iter_route_contexts(main.routes):
        route: Any = found
        if route.path.startswith("/v1/") and route.matches(scope)[0] is Match.FULL:
            return RANK[role] >= RANK[_least(route.dependant)]
    return False


def _least(dependant: Any) -> Role:
    """The highest role that a route asks for anywhere; a viewer's where it asks for none."""
    asked = [role for role in Role if _asks(dependant, require(role))]
    return max(asked, key=RANK.__getitem__, default=Role.ANNOTATOR)


def _asks(dependant: Any, call: Any) -> bool:
    return any(one.call is call or _asks(one, call) for one in dependant.dependencies)
