"""Sign-in by an identity provider: /console/oidc/start and /console/oidc/callback."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from api.console import oidc
from api.console.pages.sign_in import admitted, is_secure
from api.console.sessions import admit, refused
from api.errors import Forbidden, SignInRefused
from labeling.errors import NotFound

router = APIRouter(prefix="/oidc")


@router.get("/start")
def start(request: Request, next: str = "") -> Response:
    """To the provider."""
    address, held = _provider(request).start(next)
    response = RedirectResponse(address, status_code=303)
    response.set_cookie(
        oidc.COOKIE,
        held,
        max_age=oidc.PENDING_S,
        path=oidc.PATH,
        secure=is_secure(request),
        httponly=True,
        samesite="lax",
    )
    return response


@router.get("/callback")
def callback(request: Request) -> Response:
    """Back from the provider: open a session."""
    try:
        person, path = _provider(request).finish(request.query_params, request.cookies.get(oidc.COOKIE, ""))
    except (SignInRefused, Forbidden) as error:
        refused(str(error))
        raise
    goldfold = request.app.state.goldfold
    cookie = admit(goldfold.ledger, person, goldfold.settings.console_session_hours)
    response = admitted(request, cookie, path)
    response.delete_cookie(oidc.COOKIE, path=oidc.PATH)
    return response


def _provider(request: Request) -> oidc.Provider:
    provider: oidc.Provider | None = request.app.state.oidc
    if provider is None:
        raise NotFound("no identity provider is set up: sign in with an API key, or set oidc_issuer")
    return provider
