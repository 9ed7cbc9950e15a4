"""One item, and a search for one: /console/items/{external_id}, /console/items/find?q=...

Content stands here alone. It is not in the page until it is asked for, and the audit trail says who did. What a model
thinks of an item is not told while a question about it is open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query
from fastapi.responses import RedirectResponse, Response

from api.console.page import Ask, EngineerAsk, Page
from api.items import scored, shown
from labeling.errors import InvalidInput, NotFound
from labeling.golden.blame import blame
from labeling.records import RegisteredItem, TaskKind
from labeling.scorer_names import ScorerName, scorer_names
from labeling.training import calibration_version

router = APIRouter(prefix="/items")
PATH = "/console/items"
CONTENT = ("modality", "text", "media", "image", "image_blurred")
SWAYING = ("scores", "disagreement", "notes", "scorers")
FOUND = 50  # items of a page of what was found

Sought = Annotated[str | None, Query(max_length=512)]


@router.get("/find")
def find(ask: EngineerAsk, q: Sought = None, after: Annotated[str, Query(max_length=512)] = "") -> Response:
    """To the item of that external id, or else of that item id; or else those whose external id starts so."""
    registry = ask.goldfold.ledger.items
    if q is None and registry.known(["find"]):
        return item(ask, "find")  # one is called so
    sought = (q or "").strip()
    if "\0" in sought + after:
        raise InvalidInput("q: an external id holds no NUL character")
    exact = registry.known([sought]).get(sought) or registry.by_id([sought]).get(sought)
    if exact is not None and not after:
        return RedirectResponse(f"{PATH}/{quote(exact.external_id, safe='')}", status_code=303)
    found: list[RegisteredItem] = registry.starting(sought, after=after, limit=FOUND + 1) if sought else []
    more = f"{PATH}/find?{urlencode({'q': sought, 'after': found[FOUND - 1].external_id})}" if found[FOUND:] else ""
    data = {"q": sought, "found": found[:FOUND], "next": more, "after": after}
    return ask.show(Page(f"Items that start with {sought}" if sought else "Find an item", "items_found.html", data))


@router.get("/{external_id:path}")
def item(ask: EngineerAsk, external_id: str) -> Response:
    """An item without its content."""
    return ask.show(_page(ask, external_id, revealed=False))


@router.post("/{external_id:path}")
def reveal(ask: EngineerAsk, external_id: str) -> Response:
    """The same with its content; who asked for it is noted."""
    page = _page(ask, external_id, revealed=True)
    ask.goldfold.ledger.audit.add(ask.actor, "content.shown", external_id, {"where": "console"})
    return ask.show(page)


def _page(ask: Ask, external_id: str, *, revealed: bool) -> Page:
    ledger = ask.goldfold.ledger
    known = ledger.items.known([external_id]).get(external_id)
    if known is None:
        raise NotFound(f"no item has the external_id {external_id!r}")
    told = shown(ask.goldfold, external_id) if revealed else {}
    is_asked = bool(ledger.tasks.asked([known.item_id]))
    read = ask.kept(("item", known.item_id), lambda: _read(ask, known.item_id))
    if is_asked and read.value is not None:
        read = replace(read, value=read.value | {name: {} for name in SWAYING})
    data = {
        "item": asdict(known),
        "is_asked": is_asked,
        "read": read,
        "lines": {policy.id: policy.threshold for policy in ask.goldfold.operating().values()},
        "rounds": _rounds(ask, known.item_id),
        "content": _addressed(ask, {name: told[name] for name in CONTENT}) if revealed else None,
        "has_preview": bool(ask.goldfold.settings.media_link_secret.get_secret_value()),
        "history": _history(ask, external_id),
    }
    return Page(f"Item {external_id}", "item.html", data)


def _read(ask: Ask, item_id: str) -> dict[str, Any]:
    """What the lake has of it but its content, and who scored it."""
    goldfold = ask.goldfold
    (row,) = goldfold.lake.take([item_id], ["language"]).to_pylist()
    names = scorer_names(goldfold.ledger, goldfold.lake)
    told = {"language": row["language"], "scorers": names, "in_force": _in_force(ask, names)}
    return told | scored(goldfold, item_id)


def _addressed(ask: Ask, content: dict[str, Any]) -> dict[str, Any]:
    """The links of an image without the host of ``public_url``: the console may be open under another one, and shows
    no image of another site."""
    base = ask.goldfold.settings.public_url
    return content | {name: (content[name] or "").removeprefix(base) for name in ("image", "image_blurred")}


def _in_force(ask: Ask, names: Mapping[str, ScorerName]) -> list[str]:
    """The versions that decide now: of the champion's, that under its calibration; all without a model of ours, where
    there is no champion."""
    champion = ask.goldfold.ledger.models.champion()
    if champion is None:
        return [version for version, each in names.items() if not each.model_id]
    is_calibrated = calibration_version(champion) is not None
    mine = {version: each for version, each in names.items() if each.model_id == champion.model_id}
    return [version for version, each in mine.items() if each.is_calibrated is is_calibrated]


def _rounds(ask: Ask, item_id: str) -> list[dict[str, Any]]:
    """What was asked about an item, the newest first; whom an answer is known to, is nobody's business."""
    tasks = [task for task in ask.goldfold.ledger.tasks.of_item(item_id) if task.kind is not TaskKind.INJECTION]
    return [
        {
            "round_id": task.round_id,
            "policy_id": task.policy_id,
            "policy_version": task.policy_version,
            "kind": str(task.kind),
            "state": str(task.state),
            "created_at": task.created_at,
        }
        for task in reversed(tasks)
    ]


def _history(ask: Ask, external_id: str) -> dict[str, Any] | None:
    if not ask.is_lead:
        return None
    try:
        return asdict(blame(ask.goldfold.ledger, external_id))
    except NotFound:
        return None
