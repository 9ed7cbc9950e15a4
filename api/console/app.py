"""The console's app, mounted at /console: its pages, its files, its sign-in, and failures as pages.

It is an app of its own, so that a failure here is a page where a person looks, and the one problem of the REST API
(``api.problems``) where a program does.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import problems
from api.console import nav
from api.console.kept import Answers
from api.console.oidc import Provider
from api.console.page import failed, wants_json
from api.console.pages import (
    audit,
    behind,
    causes,
    files,
    golden,
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
    sign_in,
    today,
    trees,
    trends,
    weekly,
)
from api.errors import ROOTS, Unauthenticated
from api.service import Service

PATH = "/console"
SIGN_IN = "/console/sign-in"
PAGES = (  # a path of its own words stands before one with a parameter
    sign_in,
    files,
    behind,
    items,
    today,
    round_design,
    round_map,
    rounds,
    golden,
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

Handler = Callable[[Request, Exception], Awaitable[Response]]


def console_app(service: Service, main: FastAPI, answers: Answers) -> FastAPI:
    """The app, to be mounted in ``main``, who closes ``answers`` at the end."""
    app = FastAPI(title="Goldfold console", openapi_url=None)
    app.state.service = service
    app.state.goldfold = service.goldfold
    app.state.main, app.state.keyring = main, main.state.keyring
    app.state.answers = answers
    app.state.oidc = Provider(service.settings) if service.settings.oidc_issuer else None
    for page in PAGES:
        app.include_router(page.router)
    problems.install(app)
    handlers: dict[Any, Any] = app.exception_handlers
    for kind in (*ROOTS, RequestValidationError, HTTPException):
        handlers[kind] = _as_page(handlers[kind])
    app.add_middleware(Closed)
    return app


class Closed:
    """No script but our own, and nothing from another host: on every answer of the console."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = CSP
                headers["Referrer-Policy"] = "same-origin"  # with none at all a form would not say where it came from
            await send(message)

        await self.app(scope, receive, answer)


def _as_page(handler: Handler) -> Handler:
    """A problem as a page, where a person looks; who is not signed in is shown where to."""

    async def told(request: Request, error: Exception) -> Response:
        response = await handler(request, error)
        if wants_json(request):
            return response
        if isinstance(error, Unauthenticated) and request.method == "GET":
            return RedirectResponse(f"{SIGN_IN}?next={quote(nav.asked(request.url))}", status_code=303)
        said = json.loads(bytes(response.body))
        return failed(request, said["status"], said["title"], said["detail"], said["problems"])

    return told
