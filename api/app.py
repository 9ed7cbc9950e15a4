"""The app factory: one FastAPI app, closed by default, whose every failure is a problem."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import Protocol

from fastapi import APIRouter, Depends, FastAPI
from fastapi.responses import JSONResponse
from starlette.middleware import Middleware
from starlette.types import Lifespan

from api import problems
from api.auth import Access, KeyRing, Role, require
from api.inclusion import include
from api.metrics import Metrics
from api.middleware import BodyLimit, Frame
from api.routes import health, keys
from configs.settings import Settings

DESCRIPTION = """Scores content, finds the few items worth a person's minute, has them labelled blind in Label Studio,
and folds the answers into a versioned golden set. Every failure is an RFC 9457 problem (`application/problem+json`)."""


class AppState(Protocol):
    """What the app itself needs of Goldfold; routers say what they need beyond it."""

    @property
    def settings(self) -> Settings: ...

    @property
    def ledger(self) -> Access: ...


def create_app(
    goldfold: AppState,
    *,
    routers: Iterable[APIRouter] = (),
    own_routers: Iterable[APIRouter] = (),
    open_routers: Iterable[APIRouter] = (),
    checks: Sequence[health.Check] = (),
    gates: Sequence[Middleware] = (),
    lifespan: Lifespan[FastAPI] | None = None,
) -> FastAPI:
    """The app. ``routers`` need at least the role viewer, whatever their routes say; ``own_routers`` the role
    annotator, as they tell nobody but the caller of the caller; ``open_routers`` need no key.

    Routers carry their whole prefix themselves. ``checks`` are what /readyz asks. The app's state holds
    ``goldfold``, ``keyring``, ``metrics`` and ``readiness``. ``gates`` stand before everything but the request's frame.
    """
    settings = goldfold.settings
    app = FastAPI(
        title="Goldfold",
        version=version("goldfold"),
        description=DESCRIPTION,
        openapi_url=None,  # served below, closed unless the settings open it
        lifespan=lifespan,
    )
    app.state.goldfold = goldfold
    app.state.keyring = KeyRing(goldfold.ledger.keys)
    app.state.metrics = Metrics(app.version)
    app.state.readiness = health.Readiness(checks)
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)
    for gate in gates:
        app.add_middleware(gate.cls, *gate.args, **gate.kwargs)
    app.add_middleware(Frame, metrics=app.state.metrics)  # added last: it is the outermost
    problems.install(app)
    for router in (health.open_router, *open_routers):
        include(app, router, None, (422, 500))
    for role, given in ((Role.VIEWER, (health.router, keys.router, *routers)), (Role.ANNOTATOR, own_routers)):
        for router in given:
            include(app, router, role, (401, 403, 422, 500))
    _serve_openapi(app, is_open=settings.openapi_open)
    return app


def _serve_openapi(app: FastAPI, *, is_open: bool) -> None:
    dependencies = [] if is_open else [Depends(require(Role.VIEWER))]

    @app.get("/openapi.json", include_in_schema=False, dependencies=dependencies)
    def openapi() -> JSONResponse:
        return JSONResponse(app.openapi())
