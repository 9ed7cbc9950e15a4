"""A page: what it tells, said as HTML to a person, as JSON to a program, and a chart of it as CSV, PNG, PDF or JSON.

A page function gathers numbers from the rooms that own them into a ``Page``; the template only lays them out. Whoever
asks with ``Accept: application/json`` gets ``data`` and the charts' numbers; with ``?chart=ID&as=csv|png|pdf|json`` one
chart.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from typing import Annotated, Any, TypeVar
from urllib.parse import quote, unquote

from fastapi import Depends, Request
from fastapi.encoders import jsonable_encoder
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from pydantic import BaseModel

from api.auth import COOKIE, RANK, Role, bearer, header
from api.composition import Goldfold
from api.console import formats, nav
from api.console.assets import address
from api.console.charts import Chart, chart_of
from api.console.forms import checked, fields_of
from api.console.kept import WAIT_S, Answers, Kept
from api.console.kpis import of_room
from api.console.pictures import picture
from api.console.rights import Rights
from api.console.sessions import CSRF, Visitor, check_csrf, visitor_of
from api.errors import FigurePending, Forbidden, Unauthenticated, status_of
from api.jobs.runtime import JobRuntime
from api.service import Service
from labeling.errors import InvalidInput, NotFound
from labeling.records import ApiKey

SAID = "goldfold_said"  # what the last action came to, shown once
SCHEME = "goldfold_scheme"  # in which colours its browser shows the console
SCHEMES = ("system", "light", "dark")
CHART_WAIT_S = 20.0  # for the figures of a chart that is asked for alone: nothing else is shown meanwhile
RETRY_S = 5
T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Page:
    """What a page tells. ``data``: plain values, records and ``Kept`` figures, by the names that ``template`` uses."""

    title: str
    template: str
    data: Mapping[str, Any]
    charts: Sequence[Chart] = ()
    status: int = 200

    @property
    def pending(self) -> list[str]:
        """Figures that are on their way."""
        return [name for name, value in self.kept.items() if value.pending]

    @property
    def awaited(self) -> list[str]:
        """Figures that are on their way, or that are there and are being made anew after a change."""
        return [name for name, value in self.kept.items() if value.pending or value.late]

    @property
    def kept(self) -> dict[str, Kept[Any]]:
        """Its kept figures, by name."""
        return {name: value for name, value in self.data.items() if isinstance(value, Kept)}

    @property
    def unavailable(self) -> dict[str, Exception]:
        """Why figures are not to be had, by name."""
        return {name: value.error for name, value in self.kept.items() if value.error is not None}

    @property
    def answered(self) -> int:
        """The status for a program: 202 while a figure is on its way; where there is none at all, what went wrong."""
        if self.status != 200:
            return self.status
        if self.unavailable and len(self.unavailable) == len(self.kept):
            return status_of(type(next(iter(self.unavailable.values()))))
        return 202 if self.pending else 200

    @property
    def asof(self) -> datetime | None:
        """The minute that all kept figures of the page are of, if it is one."""
        times = [value.at for value in self.kept.values() if value.at is not None and value.value is not None]
        return max(times) if len({f"{at:%Y-%m-%dT%H:%M}" for at in times}) == 1 else None


@dataclass(frozen=True, slots=True)
class Ask:
    """One request to the console: who asks, and what of. ``form``: what a POST carries, its ``csrf`` checked."""

    request: Request
    visitor: Visitor
    service: Service
    answers: Answers
    form: Mapping[str, str] = dataclasses.field(default_factory=dict)
    began_s: float = dataclasses.field(default_factory=time.monotonic)

    @property
    def goldfold(self) -> Goldfold:
        return self.service.goldfold

    @property
    def jobs(self) -> JobRuntime:
        return self.service.jobs

    @property
    def actor(self) -> str:
        """Who acts, as the audit trail tells it."""
        return self.visitor.key.key_id

    @property
    def is_lead(self) -> bool:
        return RANK[self.visitor.role] >= RANK[Role.LEAD]

    @property
    def _wanted(self) -> str | None:
        return self.request.query_params.get("chart")

    def kept(self, name: Hashable, compute: Callable[[], T]) -> Kept[T]:
        """A figure that takes longer than a page may (``Answers.of``)."""
        waits_s = WAIT_S if self._wanted is None else max(self.began_s + CHART_WAIT_S - time.monotonic(), 0.0)
        return self.answers.of(name, compute, waits_s)

    def typed(self, model: type[M]) -> M:
        """The form as a model; fields left empty count as not given. Raises InvalidInput naming each field."""
        return checked(model, {name: value for name, value in self.form.items() if value != "" and name != CSRF})

    def show(self, page: Page) -> Response:
        """The page as this request wants it. Raises NotFound for a chart that it has not, FigurePending while figures
        are on their way, and where none of them can be had what the first raised."""
        if self._wanted is not None:
            return _chart(_found(page, self._wanted), self.request.query_params.get("as", "png"))
        if wants_json(self.request) or self.request.query_params.get("as") == "json":
            return _json(page)
        return render(self.request, page, self.visitor)

    def back(self, path: str, said: str) -> Response:
        """After an action: to a page, which says once what came of it. Kept figures are forgotten."""
        self.answers.forget()
        response = RedirectResponse(path, status_code=303)
        response.set_cookie(SAID, quote(said), max_age=60, path=nav.HOME, httponly=True, samesite="lax")
        return response


def wants_json(request: Request) -> bool:
    """Whether JSON was asked for rather than a page."""
    accepted = request.headers.get("accept", "")
    return "application/json" in accepted and "text/html" not in accepted


def opens(request: Request, visitor: Visitor | None, address: str) -> bool:
    """Whether a visitor may look at what the API answers at an address: a link to it stands where they may."""
    rights: Rights = request.app.state.rights
    return visitor is not None and rights.opens(address, visitor.role)


def render(request: Request, page: Page, visitor: Visitor | None) -> HTMLResponse:
    """A page for a person."""
    said = unquote(request.cookies.get(SAID, ""))
    scheme = request.cookies.get(SCHEME, "")
    body = (
        _templates()
        .get_template(page.template)
        .render(
            **page.data,
            title=page.title,
            charts={chart.chart_id: chart for chart in page.charts},
            pending=page.awaited,
            visitor=visitor,
            menu=nav.menu(visitor.role) if visitor else [],
            path=request.url.path,
            query=request.url.query,
            here=nav.room(request.url),
            finds=visitor is not None and RANK[visitor.role] >= RANK[Role.ENGINEER],
            asof=page.asof,
            said=said,
            schemes=SCHEMES,
            scheme=scheme if scheme in SCHEMES else SCHEMES[0],
            opens=partial(opens, request, visitor),
            computed=of_room(request.url.path) if visitor and visitor.role is not Role.ANNOTATOR else [],
        )
    )
    response = HTMLResponse(body, status_code=page.status)
    if said:
        response.delete_cookie(SAID, path=nav.HOME)
    return response


def fragment(template: str, **data: Any) -> str:
    """A piece of a page, escaped as a page is: what server-sent events carry."""
    return _templates().get_template(template).render(**data)


@cache
def asking(role: Role) -> Callable[..., Any]:
    """A dependency: a request of somebody of that role or above. Raises Unauthenticated, Forbidden."""

    async def asked(
        request: Request,
        authorization: Annotated[Any, Depends(bearer)],
        api_key: Annotated[str | None, Depends(header)],
    ) -> Ask:
        visitor = await _visitor(request, authorization.credentials if authorization else api_key)
        request.state.key_id, request.state.visitor = visitor.key.key_id, visitor
        if RANK.get(visitor.key.role, -1) < RANK[role]:
            raise Forbidden(f"this page needs the role {role} or above; you are signed in as {visitor.key.role}")
        form: dict[str, str] = {}
        if request.method == "POST":
            form = await fields_of(request)
            check_csrf(visitor, form.get(CSRF, ""))
        state = request.app.state
        return Ask(request, visitor, state.service, state.answers, form)

    return asked


AnnotatorAsk = Annotated[Ask, Depends(asking(Role.ANNOTATOR))]
ViewerAsk = Annotated[Ask, Depends(asking(Role.VIEWER))]
EngineerAsk = Annotated[Ask, Depends(asking(Role.ENGINEER))]
LeadAsk = Annotated[Ask, Depends(asking(Role.LEAD))]
AdminAsk = Annotated[Ask, Depends(asking(Role.ADMIN))]


async def _visitor(request: Request, plaintext: str | None) -> Visitor:
    """Who asks: by the key in a header, as a program does, or by the session of a browser."""
    state = request.app.state
    if plaintext:
        key: ApiKey | None = await state.keyring.find(plaintext)
        if key is None:
            raise Unauthenticated("the API key is not valid: it is mistyped, unknown or revoked")
        return Visitor(key, "")
    cookie = request.cookies.get(COOKIE)
    visitor = await visitor_of(state.goldfold.ledger, cookie) if cookie else None
    if visitor is None:
        raise Unauthenticated("you are not signed in, or your session has ended: sign in with an API key")
    return visitor


def _json(page: Page) -> JSONResponse:
    told = {name: _plain(value) for name, value in page.data.items()}
    charts = {chart.chart_id: jsonable_encoder(chart) for chart in page.charts}
    body = {
        "title": page.title,
        **jsonable_encoder(told),
        "charts": charts,
        "pending": page.pending,
        "unavailable": {name: str(error) for name, error in page.unavailable.items()},
    }
    return JSONResponse(body, status_code=page.answered)


def _plain(value: Any) -> Any:
    if isinstance(value, Kept):
        error = None if value.error is None else str(value.error)
        return {"value": _plain(value.value), "at": value.at, "late": value.late, "error": error}
    as_dict = getattr(value, "as_dict", None)
    return as_dict() if callable(as_dict) else value


def _found(page: Page, chart_id: str) -> Chart:
    try:
        return chart_of(page.charts, chart_id)
    except NotFound:
        if page.pending:
            said = f"the figures of chart {chart_id!r} are being computed: ask for it again in {RETRY_S} s"
            raise FigurePending(said, RETRY_S) from None
        if page.unavailable and len(page.unavailable) == len(page.kept):
            raise next(iter(page.unavailable.values())).with_traceback(None) from None  # it is kept, and so would they
        raise


def _chart(chart: Chart, form: str) -> Response:
    name = f'attachment; filename="{chart.chart_id}.{form}"'
    if form == "png":
        shown = {"Content-Disposition": name.replace("attachment", "inline")}
        return Response(picture(chart, "png"), media_type="image/png", headers=shown)
    if form == "pdf":
        return Response(picture(chart, "pdf"), media_type="application/pdf", headers={"Content-Disposition": name})
    if form == "csv":
        return Response(chart.csv(), media_type="text/csv; charset=utf-8", headers={"Content-Disposition": name})
    if form == "json":
        return JSONResponse(jsonable_encoder(chart))
    raise InvalidInput(f"as: {form!r} is not one of csv, png, pdf, json")


@cache
def _templates() -> Environment:
    made = Environment(
        loader=PackageLoader("api.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= formats.FILTERS
    made.globals |= {"asset": address, "data_block": data_block, "current": nav.current}
    return made


def data_block(value: Any) -> Markup:
    """JSON for a block of data in HTML, which no browser runs: nothing in it can end the block."""
    told = json.dumps(jsonable_encoder(value), allow_nan=False).replace("<", "\\u003c")
    return Markup(told)  # noqa: S704 - a < cannot be in it
