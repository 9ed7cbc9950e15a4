"""One item, and lists of what lies behind a figure: /console/items/{external_id}, /console/list?of=/v1/...

Content stands here alone. It is not in the page until it is asked for, and the audit trail says who did.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

import httpx
from fastapi import APIRouter
from fastapi.responses import Response

from api.console.page import Ask, EngineerAsk, Page, ViewerAsk
from api.items import shown
from labeling.errors import InvalidInput, NotFound
from labeling.golden.blame import blame

router = APIRouter()
CONTENT = ("text", "media", "image", "image_blurred")
QUOTING = ("rationale",)  # what may quote content
SHOWN = 200  # rows of a list; the API pages on


@router.get("/items/{external_id:path}")
def item(ask: EngineerAsk, external_id: str) -> Response:
    """An item without its content."""
    return ask.show(_page(ask, external_id, revealed=False))


@router.post("/items/{external_id:path}")
def reveal(ask: EngineerAsk, external_id: str) -> Response:
    """The same with its content; who asked for it is noted."""
    page = _page(ask, external_id, revealed=True)
    ask.goldfold.ledger.audit.add(ask.actor, "content.shown", external_id, {"where": "console"})
    return ask.show(page)


@router.get("/list")
async def behind(ask: ViewerAsk, of: str) -> Response:
    """What the API answers under an address, as a table: the items behind a figure. It is asked with the rights of who
    looks."""
    parts = urlsplit(of)
    if parts.scheme or parts.netloc or not parts.path.startswith("/v1/"):
        raise InvalidInput("of: expected an address of the API such as /v1/rounds")
    answer = await _asked(ask, of)
    rows, rest = _rows(_bare(answer))
    return ask.show(Page(f"Behind {parts.path}", "list.html", {"of": of, "rows": rows, "rest": rest, "most": SHOWN}))


async def _asked(ask: Ask, address: str) -> Any:
    headers = {
        name: ask.request.headers[name]
        for name in ("authorization", "x-api-key", "cookie")
        if name in ask.request.headers
    }
    transport = httpx.ASGITransport(ask.request.app.state.main)
    async with httpx.AsyncClient(transport=transport, base_url=str(ask.request.base_url)) as client:
        answer = await client.get(address, headers=headers)
    told = answer.json() if "json" in answer.headers.get("content-type", "") else {}
    if answer.is_error:
        said = told.get("detail", "the API gave no reason")
        raise NotFound(said) if answer.status_code == httpx.codes.NOT_FOUND else InvalidInput(f"of: {said}")
    return told


def _bare(answer: Any) -> Any:
    """Without content: that stands on an item's own page alone, where asking for it is noted."""
    if isinstance(answer, list):
        return [_bare(each) for each in answer]
    if isinstance(answer, dict):
        return {name: _bare(each) for name, each in answer.items() if name not in (*CONTENT, *QUOTING)}
    return answer


def _rows(answer: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The longest list of an answer as rows, and what else it says."""
    if isinstance(answer, dict):
        lists = {name: value for name, value in answer.items() if isinstance(value, list)}
        longest = max(lists, key=lambda name: len(lists[name]), default=None)
        rest = {name: value for name, value in answer.items() if name != longest}
        return _rows(lists[longest])[0] if longest is not None else [], rest
    rows = [each if isinstance(each, dict) else {"external_id": each} for each in answer]
    return rows, {}


def _page(ask: Ask, external_id: str, *, revealed: bool) -> Page:
    told = shown(ask.goldfold, external_id)
    content = {name: told.pop(name) for name in CONTENT}
    try:
        history = asdict(blame(ask.goldfold.ledger, external_id)) if ask.is_lead else None
    except NotFound:
        history = None
    data = {"item": told, "content": content if revealed else None, "history": history}
    return Page(f"Item {external_id}", "item.html", data)
