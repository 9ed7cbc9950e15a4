"""In which colours a browser shows the console: /console/scheme. Kept in a cookie of its own, and nowhere else."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response

from api.console import nav
from api.console.page import SCHEME, SCHEMES, AnnotatorAsk
from api.console.pages.sign_in import is_secure
from labeling.errors import InvalidInput

router = APIRouter()
KEPT_S = 365 * 24 * 3600


@router.post("/scheme")
def choose(ask: AnnotatorAsk) -> Response:
    """Light, dark, or as the system has it; back to where that was asked."""
    wanted = ask.form.get("scheme", "")
    if wanted not in SCHEMES:
        raise InvalidInput(f"scheme: {wanted!r} is not one of {', '.join(SCHEMES)}")
    response = RedirectResponse(nav.came_from(ask.request), status_code=303)
    secure = is_secure(ask.request)
    response.set_cookie(SCHEME, wanted, max_age=KEPT_S, path=nav.HOME, secure=secure, httponly=True, samesite="lax")
    return response
