"""A page: what it tells, said as HTML to a person, as JSON to a program, and a chart of it as PNG, CSV or JSON.

A page function gathers numbers from the rooms that own them into a ``Page``; the template only lays them out. Whoever
asks with ``Accept: application/json`` gets ``data`` and the charts' numbers; ``?chart=ID&as=png|csv|json`` one chart.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, TypeVar
from urllib.parse import quote, unquote

from fastapi import Depends, Request
from fastapi.encoders import jsonable_encoder
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from pydantic import BaseModel
from starlette.datastructures import UploadFile

from api.auth import COOKIE, RANK, Role, bearer, header
from api.composition import Goldfold
from api.console import formats, nav
from api.console.assets import address
from api.console.charts import Chart, chart_of
from api.console.forms import checked
from api.console.kept import Answers, Kept
from api.console.kpis import of_room
from api.console.sessions import CSRF, Visitor, check_csrf, visitor_of
from api.errors import Forbidden, Unauthenticated
from api.jobs.runtime import JobRuntime
from api.problems import request_id
from api.service import Service
from labeling.errors import InvalidInput
from labeling.records import ApiKey

SAID = "goldfold_said"  # what the last action came to, shown once
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
        return [name for name, value in self.data.items() if isinstance(value, Kept) and value.pending]


@dataclass(frozen=True, slots=True)
class Ask:
    """One request to the console: who asks, and what of. ``form``: what a POST carries, its ``csrf`` checked."""

    request: Request
    visitor: Visitor
    service: Service
    answers: Answers
    form: Mapping[str, str] = dataclasses.field(default_factory=dict)

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

    def kept(self, name: Hashable, compute: Callable[[], T]) -> Kept[T]:
        """A figure that takes longer than a page may (``Answers.of``)."""
        return self.answers.of(name, compute)

    def typed(self, model: type[M]) -> M:
        """The form as a model; fields left empty count as not given. Raises InvalidInput naming each field."""
        return checked(model, {name: value for name, value in self.form.items() if value != "" and name != CSRF})

    def show(self, page: Page) -> Response:
        """The page as this request wants it. Raises NotFound for a chart that it has not."""
        wanted = self.request.query_params.get("chart")
        if wanted is not None:
            return _chart(chart_of(page.charts, wanted), self.request.query_params.get("as", "png"))
        if wants_json(self.request):
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


def render(request: Request, page: Page, visitor: Visitor | None) -> HTMLResponse:
    """A page for a person."""
    said = unquote(request.cookies.get(SAID, ""))
    body = (
        _templates()
        .get_template(page.template)
        .render(
            **page.data,
            title=page.title,
            charts={chart.chart_id: chart for chart in page.charts},
            pending=page.pending,
            visitor=visitor,
            menu=nav.menu(visitor.role) if visitor else [],
            path=request.url.path,
            query=request.url.query,
            said=said,
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
            given = await request.form()
            form = {name: value for name, value in given.items() if not isinstance(value, UploadFile)}
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
    body = {"title": page.title, **jsonable_encoder(told), "charts": charts, "pending": page.pending}
    return JSONResponse(body, status_code=202 if page.pending and page.status == 200 else page.status)


def _plain(value: Any) -> Any:
    if isinstance(value, Kept):
        return {
            "value": _plain(value.value),
            "at": value.at,
            "error": None if value.error is None else str(value.error),
        }
    as_dict = getattr(value, "as_dict", None)
    return as_dict() if callable(as_dict) else value


def _chart(chart: Chart, form: str) -> Response:
    name = f'attachment; filename="{chart.chart_id}.{form}"'
    if form == "png":
        return Response(
            chart.png(), media_type="image/png", headers={"Content-Disposition": name.replace("attachment", "inline")}
        )
    if form == "csv":
        return Response(chart.csv(), media_type="text/csv; charset=utf-8", headers={"Content-Disposition": name})
    if form == "json":
        return JSONResponse(jsonable_encoder(chart))
    raise InvalidInput(f"as: {form!r} is not one of png, csv, json")


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
    made.globals |= {"asset": address, "data_block": data_block}
    return made


def data_block(value: Any) -> Markup:
    """JSON for a block of data in HTML, which no browser runs: nothing in it can end the block."""
    told = json.dumps(jsonable_encoder(value), allow_nan=False).replace("<", "\\u003c")
    return Markup(told)  # noqa: S704 - a < cannot be in it


def failed(request: Request, status: int, heading: str, detail: str, cures: Sequence[str] = ()) -> HTMLResponse:
    """A failure as a page."""
    data = {"heading": heading, "detail": detail, "cures": list(cures), "request_id": request_id(request)}
    return render(request, Page(heading, "problem.html", data, status=status), getattr(request.state, "visitor", None))
