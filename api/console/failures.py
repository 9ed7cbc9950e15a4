"""Failures as pages, where a person looks; where a program does they are the one problem of ``api.problems``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fastapi import Request
from fastapi.responses import HTMLResponse

from api.console import nav
from api.console.forms import fields_of
from api.console.page import Page, render
from api.console.sessions import CSRF
from api.problems import request_id


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong, as a page. ``cures``: each thing to mend; ``typed``: what a form carried that did not get
    through, to be copied; ``sign_in``: where to sign in again, "" where that is no cure."""

    status: int
    heading: str
    detail: str
    cures: tuple[str, ...] = ()
    typed: Mapping[str, str] = field(default_factory=dict)
    sign_in: str = ""


def failed(request: Request, what: Failure) -> HTMLResponse:
    """A failure as a page."""
    data = {"what": what, "request_id": request_id(request)}
    visitor = getattr(request.state, "visitor", None)
    return render(request, Page(what.heading, "problem.html", data, status=what.status), visitor)


async def typed_by(request: Request) -> dict[str, str]:
    """What somebody typed into the form of a POST; no secret of a sign-in."""
    if request.method != "POST" or request.url.path.endswith(nav.SIGN_IN):
        return {}
    async with request.form():  # its files are closed: nobody reads them any more
        fields = await fields_of(request)
    return {name: value for name, value in fields.items() if name != CSRF and value.strip()}
