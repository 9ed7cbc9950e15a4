"""One golden item: how its labels came about, and moving it between tiers and states after a look at what that changes:
/console/golden/items/{external_id}, /console/golden/change.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import Field

from api.console.page import Ask, LeadAsk, Page
from api.console.pages.golden import HERE, tabs
from api.routes.golden_items import ChangeIn, change_item
from labeling.golden.blame import blame
from labeling.golden.transitions import moves
from labeling.records import GoldState, Tier

router = APIRouter(prefix="/golden")
LOOK = "a look at what it would change"  # the reason of a dry run, which is written nowhere
MOVES = {  # what each is called, and what comes of it
    "promoted": ("Promote", "It counts for more: its tier rises by one. Its answer stays."),
    "demoted": ("Demote", "It counts for less: its tier falls by one. Its answer stays."),
    "quarantined": ("Quarantine", "No new version holds it, until it is restored or decided anew."),
    "retired": ("Retire", "No new version holds it, and a new answer does not bring it back; it can be restored."),
    "restored": ("Restore", "It is active again, and may be in the next version."),
}


class AskedIn(ChangeIn):
    """A move of one golden item that is looked at first; its reason may still be missing then."""

    item: str = Field(min_length=1)
    reason: str = Field("", max_length=2000)


class MoveIn(ChangeIn):
    """A move of one golden item."""

    item: str = Field(min_length=1)


@router.get("/items")
def ask_for_history(ask: LeadAsk, item: str = "") -> Response:
    """The history of the item that is named, or the form to name one."""
    return _history(ask, item.strip())


@router.get("/items/{external_id:path}")
def history(ask: LeadAsk, external_id: str) -> Response:
    """How the labels of one item came about, everything that happened to them, and what can be done with each."""
    return _history(ask, external_id)


@router.get("/change")
def look(ask: LeadAsk, asked: Annotated[AskedIn, Query()]) -> Response:
    """What a move would change; nothing is written."""
    given = ChangeIn(action=asked.action, reason=asked.reason or LOOK, policy=asked.policy or None, dry_run=True)
    would = change_item(ask.goldfold, asked.item, ask.visitor.key, given)
    found = blame(ask.goldfold.ledger, would.external_id)
    held = [told["version"] for told in found.versions if told["policy"] == would.policy_id]
    data = {"tabs": tabs(ask), "would": would, "reason": asked.reason, "held": held, "moves": MOVES}
    return ask.show(Page(f"{would.external_id}: {MOVES[asked.action][0].lower()}", "golden_change.html", data))


@router.post("/change")
def move(ask: LeadAsk) -> Response:
    """Make it."""
    given = ask.typed(MoveIn)
    made = change_item(ask.goldfold, given.item, ask.visitor.key, ChangeIn(**given.model_dump(exclude={"item"})))
    said = f"{made.external_id} is {made.action}: {made.tier}, {made.state}."
    return ask.back(f"{HERE}/items/{quote(made.external_id)}", said)


def _history(ask: Ask, item: str) -> Response:
    found = asdict(blame(ask.goldfold.ledger, item)) if item else None
    rows = [
        row | {"open": [str(each) for each in moves(Tier(row["tier"]), GoldState(row["state"]))]}
        for row in (found["golden"] if found else ())
    ]
    data = {"tabs": tabs(ask), "item": item, "history": found, "rows": rows, "moves": MOVES}
    return ask.show(Page("History of an item", "golden_item.html", data))
