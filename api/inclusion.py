"""Routers taken into an app, their routes worked out once a process: FastAPI does it anew for each app that includes
them, and a process of tests makes hundreds of apps."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, Depends, FastAPI

from api.auth import Role, require
from api.problems import documented

_included: dict[tuple[object, ...], tuple[APIRouter, APIRouter]] = {}  # routers cannot be hashed, so by their ids


def include(app: FastAPI, router: APIRouter, role: Role | None = None, statuses: Sequence[int] = ()) -> None:
    """Serve the router's routes. All of them need ``role`` (None: what they say themselves), and may answer the
    problems of these statuses. What an app or a router says of all its routes beyond that (``dependency_overrides``, a
    lifespan) is not heard here."""
    key = (id(router), role, tuple(statuses))
    if key not in _included:
        needed = [] if role is None else [Depends(require(role))]
        made = APIRouter()
        made.include_router(router, dependencies=needed, responses=documented(*statuses))
        _included[key] = (router, made)  # the router stays, and so nobody else gets its id
    app.router.routes.extend(_included[key][1].routes)
