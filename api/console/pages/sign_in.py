"""Signing in and out: /console/sign-in, /console/sign-out, and where a day begins: /console/."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from api.auth import COOKIE
from api.console import nav
from api.console.page import AnnotatorAsk, Page, render
from api.console.sessions import check_origin, set_cookie, sign_in, sign_out
from api.errors import Unauthenticated

router = APIRouter()


@router.get("/", include_in_schema=False)
def start(ask: AnnotatorAsk) -> Response:
    """To the page where the visitor's day begins."""
    return RedirectResponse(nav.home(ask.visitor.role), status_code=303)


@router.get(nav.SIGN_IN)
def show(request: Request, next: str = "") -> Response:
    """The form."""
    return render(request, _page(request, nav.safe(next)), None)


@router.post(nav.SIGN_IN)
def enter(request: Request, key: Annotated[str, Form()], next: Annotated[str, Form()] = "") -> Response:
    """Open a session with an API key."""
    check_origin(request)
    goldfold = request.app.state.goldfold
    hours = goldfold.settings.console_session_hours
    try:
        cookie = sign_in(goldfold.ledger, key, hours)
    except Unauthenticated as error:
        return render(request, _page(request, nav.safe(next), str(error), status=401), None)
    return admitted(request, cookie, nav.safe(next))


def admitted(request: Request, cookie: str, path: str) -> Response:
    """Where somebody goes who was let in, with the cookie of the session; the browser's session before it ends."""
    goldfold = request.app.state.goldfold
    sign_out(goldfold.ledger, request)
    settings = goldfold.settings
    response = RedirectResponse(path or nav.HOME, status_code=303)
    set_cookie(response, cookie, settings.console_session_hours, secure=is_secure(request))
    return response


def is_secure(request: Request) -> bool:
    """Whether browsers come over TLS, as the request or ``public_url`` says."""
    return "https" in (request.url.scheme, request.app.state.goldfold.settings.public_url.partition(":")[0])


@router.post("/sign-out")
def leave(ask: AnnotatorAsk) -> Response:
    """End the session."""
    sign_out(ask.goldfold.ledger, ask.request)
    response = RedirectResponse(nav.HOME.rstrip("/") + nav.SIGN_IN, status_code=303)
    response.delete_cookie(COOKIE, path="/")
    return response


def _page(request: Request, next: str, problem: str = "", *, status: int = 200) -> Page:
    settings = request.app.state.goldfold.settings
    provider = settings.oidc_name if settings.oidc_issuer else ""
    data: dict[str, Any] = {"next": next, "problem": problem, "provider": provider}
    return Page("Sign in", "sign_in.html", data, status=status)
