"""What lies behind a figure: /console/list?of=/v1/... as a table, a page at a time; and files that the API makes.

The API is asked in process, with the rights of who looks. No content comes through here.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Annotated, Any
from urllib.parse import urlencode

import anyio.to_thread
import httpx
from fastapi import APIRouter, Query
from fastapi.responses import RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from api.auth import INSIDE, RANK, Role
from api.console.listed import Address, address, bare, columns, console_page, hushed, item_ids, rows_of
from api.console.page import Ask, Page, ViewerAsk, wants_json
from api.errors import Forbidden, NotReady
from labeling.errors import Conflict, InvalidInput, NotFound

router = APIRouter()
PATH = "/console/list"
SHOWN = 100  # rows of a page
OWN = ("of", "from", "as")
FILES = re.compile(r"/v1/(weekly/[^/?]+/pages|sops/[^/?]+/compiled)/[a-z.]+(\?revision=\d+)?")
NEEDS = re.compile(r"the role (\w+) or above")
LAST = {"/v1/decisions": ("source", "decision_id")}  # what of the last row is given as `after`, where no `next` is told
TOLD = ("count", "next", "withheld")  # said in the table's caption

Start = Annotated[int, Query(alias="from", ge=0, le=10_000_000, description="How many come before.")]


@router.get("/list")
async def behind(ask: ViewerAsk, of: str, start: Start = 0) -> Response:
    """What the API answers under an address, as a table: the items behind a figure."""
    described = await anyio.to_thread.run_sync(ask.request.app.state.main.openapi)
    asked = address(of, described["paths"])
    filters = {name: value for name, value in ask.request.query_params.items() if name not in OWN}
    if filters:
        known = {name: value for name, value in filters.items() if name in asked.known}
        chosen = asked.with_(**{**known, "after": ""})
        return RedirectResponse(page_of(str(chosen)), status_code=303)
    answer = await _asked(ask, str(_whole(asked, start)))
    told = bare(_json(ask, answer))
    schemas = described["components"]["schemas"]
    return await anyio.to_thread.run_sync(lambda: ask.show(_page(ask, asked, told, start, schemas)))


@router.get("/file")
async def file(ask: ViewerAsk, of: str) -> Response:
    """A file that the API makes, for a browser: its session opens nothing at the API itself."""
    if not FILES.fullmatch(of):
        raise InvalidInput("of: expected a pack's page or what an SOP was compiled to, such as /v1/weekly/2026-W47/...")
    answer = await _asked(ask, of)
    if answer.is_error:
        _json(ask, answer)
    kept = ("content-type", "content-disposition")
    return Response(answer.content, headers={name: answer.headers[name] for name in kept if name in answer.headers})


def page_of(address: str, start: int = 0, form: str = "") -> str:
    """The console's page of a list of the API."""
    more = ({"from": start} if start else {}) | ({"as": form} if form else {})
    return f"{PATH}?{urlencode({'of': address, **more})}"


async def _asked(ask: Ask, address: str) -> httpx.Response:
    """The API's answer, asked as the visitor."""
    main = ask.request.app.state.main

    async def inside(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        named: Scope = {**scope, INSIDE: ask.visitor.key}
        await main(named, receive, send)

    transport = httpx.ASGITransport(inside)
    async with httpx.AsyncClient(transport=transport, base_url=str(ask.request.base_url)) as client:
        return await client.get(address)


def _json(ask: Ask, answer: httpx.Response) -> Any:
    """What was answered. Raises what stands for a failure of the API on a page."""
    told = answer.json() if "json" in answer.headers.get("content-type", "") else {}
    if not answer.is_error:
        return told
    said, status = told.get("detail", "the API gave no reason"), answer.status_code
    if status == httpx.codes.FORBIDDEN:
        role = NEEDS.search(said)
        needed = f"the role {role[1]} or above" if role else "another role"
        raise Forbidden(f"what lies behind this figure needs {needed}; you are signed in as {ask.visitor.role}")
    if status == httpx.codes.NOT_FOUND:
        raise NotFound(said)
    if status == httpx.codes.CONFLICT:
        raise Conflict(said)
    raise NotReady(said) if answer.is_server_error else InvalidInput(f"of: {said}", tuple(told.get("problems", ())))


def _whole(asked: Address, start: int) -> Address:
    """With as many rows as are shown where the API pages on, and else with all that it tells at once."""
    if _counts(asked):
        return asked.with_(limit=str(SHOWN + 1), offset=str(start))
    if "limit" not in asked.known or "limit" in asked.query:
        return asked
    if "after" in asked.known:
        return asked.with_(limit=str(SHOWN))
    most = asked.most()
    return asked if most is None else asked.with_(limit=str(most))


def _counts(asked: Address) -> bool:
    """Whether the API is told how many come before a page."""
    return {"limit", "offset"} <= set(asked.known) and "limit" not in asked.query


def _page(ask: Ask, asked: Address, told: Any, start: int, schemas: dict[str, Any]) -> Page:
    rows, rest = rows_of(told)
    pages_on = "after" in asked.known
    shown = rows if pages_on else rows[:SHOWN] if _counts(asked) else rows[start : start + SHOWN]
    ledger = ask.goldfold.ledger
    open_ = ledger.tasks.asked(sorted(item_ids(shown)))
    shown = [hushed(row, open_) for row in shown]
    names = {item_id: item.external_id for item_id, item in ledger.items.by_id(sorted(item_ids([shown, rest]))).items()}
    for row in shown:
        if "item_id" in row:
            row["external_id"] = row.get("external_id") or names.get(row["item_id"])
    following = _next(asked, rest, rows, start, pages_on=pages_on)
    data: dict[str, Any] = {
        "of": str(asked),
        "rows": shown,
        "rest": {name: value for name, value in rest.items() if name not in TOLD},
        "count": rest.get("count", None if pages_on or _counts(asked) else len(rows)),
        "withheld": rest.get("withheld") or 0,
        "next": following,
        "first": page_of(str(asked.with_(after=""))) if "after" in asked.query else "",
        "before": page_of(str(asked), max(start - SHOWN, 0)) if start else "",
    }
    if not wants_json(ask.request) and ask.request.query_params.get("as") != "json":
        data |= _layout(ask, asked, data, names, schemas) | {"as_json": page_of(str(asked), start, "json")}
    return Page(asked.title, "list.html", data)


def _next(asked: Address, rest: dict[str, Any], rows: list[Any], start: int, *, pages_on: bool) -> str:
    if _counts(asked):
        return page_of(str(asked), start + SHOWN) if len(rows) > SHOWN else ""
    if not pages_on:
        return page_of(str(asked), start + SHOWN) if start + SHOWN < len(rows) else ""
    if rest.get("next"):
        return page_of(str(asked.with_(after=str(rest["next"]))))
    most = int(next(iter(asked.query.get("limit", [])), SHOWN))
    if asked.template in LAST and len(rows) == most:
        return page_of(str(asked.with_(after="/".join(str(rows[-1][name]) for name in LAST[asked.template]))))
    return ""


def _layout(
    ask: Ask, asked: Address, told: dict[str, Any], names: dict[str, str], schemas: dict[str, Any]
) -> dict[str, Any]:
    """What the page needs to lay the rows out, and to narrow them."""
    return {
        "columns": columns(told["rows"]),
        "names": names,
        "fields": asked.fields(schemas),
        "policies": sorted(ask.goldfold.policies),
        "opens_items": RANK[ask.visitor.role] >= RANK[Role.ENGINEER],
        "console_page": console_page,
        "page_of": page_of,
    }
