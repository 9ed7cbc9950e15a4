"""The console's app, mounted at /console: its pages, its files, its sign-in, and failures as pages.

It is an app of its own, so that a failure here is a page where a person looks, and the one problem of the REST API
(``api.problems``) where a program does.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import problems
from api.console import nav
from api.console.failures import Failure, failed, typed_by
from api.console.kept import Answers
from api.console.oidc import Provider
from api.console.page import wants_json
from api.console.pages import (
    audit,
    behind,
    causes,
    files,
    golden,
    golden_items,
    golden_versions,
    interception,
    items,
    kpis,
    me,
    model_acts,
    model_errors,
    model_thresholds,
    models,
    oidc,
    patterns,
    policies,
    policy_drafts,
    quality,
    round_design,
    round_map,
    rounds,
    scheme,
    sign_in,
    today,
    trees,
    trends,
    weekly,
)
from api.console.rights import Rights
from api.errors import ROOTS, Forbidden, Unauthenticated
from api.inclusion import include
from api.service import Service

PATH = "/console"
SIGN_IN = "/console/sign-in"
PAGES = (  # a path of its own words stands before one with a parameter
    sign_in,
    scheme,
    files,
    behind,
    items,
    today,
    round_design,
    round_map,
    rounds,
    golden,
    golden_items,
    golden_versions,
    models,
    model_thresholds,
    model_errors,
    model_acts,
    me,
    quality,
    kpis,
    patterns,
    causes,
    weekly,
    policies,
    policy_drafts,
    trees,
    trends,
    interception,
    audit,
    oidc,
)
# The one sheet that Plotly's script writes into each page, for maps that we do not draw; a new Plotly may have another.
PLOTLY_SHEET = "'sha256-ji27qzEtxXZW+7dun6UwjHXJ18e6WAin1VvNtkzIE/o='"
CSP = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        f"style-src 'self' {PLOTLY_SHEET}",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)

log = structlog.get_logger("api")
Handler = Callable[[Request, Exception], Awaitable[Response]]


def console_app(service: Service, main: FastAPI, answers: Answers) -> FastAPI:
    """The app, to be mounted in ``main``, who closes ``answers`` at the end."""
    app = FastAPI(title="Goldfold console", openapi_url=None)
    app.state.service = service
    app.state.goldfold = service.goldfold
    app.state.main, app.state.keyring = main, main.state.keyring
    app.state.rights = Rights(main)
    app.state.answers = answers
    app.state.oidc = Provider(service.settings) if service.settings.oidc_issuer else None
    for page in PAGES:
        include(app, page.router)
    problems.install(app)
    handlers: dict[Any, Any] = app.exception_handlers
    for kind in (*ROOTS, RequestValidationError, HTTPException):
        handlers[kind] = _as_page(handlers[kind])
    app.add_middleware(Closed)
    return app


class Closed:
    """No script but our own, and nothing from another host: on every answer of the console. What nobody expected is
    logged here, once, and answered as any failure is, or the server's plain text would be all that anybody saw."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def answer(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = CSP
                headers["Referrer-Policy"] = "same-origin"  # with none at all a form would not say where it came from
            await send(message)

        try:
            await self.app(scope, receive, answer)
        except Exception:
            if started:
                raise  # too late for an answer: who stands before us logs it and closes the connection
            log.exception("unexpected error", path=scope["path"])
            await _sorry(Request(scope, receive))(scope, receive, answer)


def _sorry(request: Request) -> Response:
    """What is said of a failure that nobody expected: nothing but where it is logged."""
    logged = problems.request_id(request)
    if wants_json(request):
        detail = f"something went wrong on our side; it is logged under {logged}"
        return problems.problem(request.url.path, logged, 500, detail)
    detail = "Nothing you did is to blame. Try again; if it stays, tell whoever runs Goldfold the id below."
    return failed(request, Failure(500, "Something went wrong on our side", detail))


def _as_page(handler: Handler) -> Handler:
    """A problem as a page, where a person looks; who is not signed in is shown where to, and what they typed."""

    async def told(request: Request, error: Exception) -> Response:
        response = await handler(request, error)
        if wants_json(request):
            return response
        gone = isinstance(error, Unauthenticated)
        if gone and request.method == "GET":
            return RedirectResponse(f"{SIGN_IN}?next={quote(nav.asked(request.url))}", status_code=303)
        said = json.loads(bytes(response.body))
        typed = await typed_by(request) if isinstance(error, Unauthenticated | Forbidden) else {}
        sign_in = f"{SIGN_IN}?next={quote(nav.came_from(request))}" if gone else ""
        what = Failure(said["status"], said["title"], said["detail"], tuple(said["problems"]), typed, sign_in)
        page = failed(request, what)
        if "retry-after" in response.headers:
            page.headers["Retry-After"] = response.headers["retry-after"]
        return page

    return told
