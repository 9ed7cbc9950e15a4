"""What somebody who answers sees of themselves: /console/me. What they object to, as leads see it:
/console/quality/objections.

The person is the address that the visitor's key is named by, or that an identity provider has verified.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.encoders import jsonable_encoder
from fastapi.responses import Response
from pydantic import BaseModel, Field

from api.composition import Goldfold
from api.console.charts import Chart, Series
from api.console.kept import Kept
from api.console.page import AnnotatorAsk, Ask, LeadAsk, Page
from api.console.pages.audit import names_of
from api.routes.people import get_my_page
from labeling.errors import InvalidInput, NotFound
from labeling.exposure import ExposureDay, exposure_of
from labeling.objection_records import ObjectionState
from labeling.objections import MAX_WORDS, answer_objection, overruled, raise_objection
from labeling.records import Person
from labeling.roster import change_person

router = APIRouter()
HOME = "/console/me"
DESK = "/console/quality/objections"
SHOWN = 20  # rows of a list
Start = Annotated[int, Query(ge=0)]
OPT_OUT = "policy:"  # what the boxes of the form are named by


class ObjectionForm(BaseModel):
    """Which decision is wrong, and why."""

    adjudication: str = Field(min_length=1, max_length=100)
    reason: str = Field(min_length=1, max_length=MAX_WORDS)


class AnswerForm(BaseModel):
    """What a lead says to an objection."""

    objection: str = Field(min_length=1, max_length=100)
    state: Literal["stands", "reopened"]
    answer: str = Field(min_length=1, max_length=MAX_WORDS)


@router.get("/me")
def me(ask: AnnotatorAsk, start: Start = 0, since: Start = 0) -> Response:
    """One's own results, overruled answers, exposure and opt-outs. ``start``, ``since``: how many overruled answers,
    and objections, to leave out."""
    goldfold, who = ask.goldfold, _who(ask)
    ledger, now = goldfold.ledger, datetime.now(UTC)
    person = _on_roster(goldfold, who)
    zone = goldfold.settings.exposure_zone
    results = ask.kept(("me", who), partial(_results, ask))
    told = ask.kept(("me.overruled", who), lambda: overruled(ledger, who))
    days = ask.kept(("me.exposure", who), lambda: exposure_of(ledger.desks, who, now, zone))
    cap = goldfold.settings.daily_exposure
    if person is not None and person.daily_exposure is not None:
        cap = person.daily_exposure
    objections = ledger.objections.all(person=who)
    data: dict[str, Any] = {
        "who": who,
        "person": person,
        "is_stranger": person is None and results.error is not None,
        "results": results,
        "overruled": told,
        "objections": objections,
        "objected": sorted({one.adjudication_id for one in objections}),
        "exposure": days,
        "cap": cap,
        "policies": _policies(goldfold, person.opt_outs if person else ()),
        "studio": goldfold.settings.studio_url,
        "most": MAX_WORDS,
        "start": start,
        "since": since,
        "shown": SHOWN,
    }
    return ask.show(Page("Me", "me.html", data, charts=_exposure(days, cap, zone)))


@router.post("/me/objections")
def object_(ask: AnnotatorAsk) -> Response:
    """Say that a lead's decision is wrong."""
    given = ask.typed(ObjectionForm)
    ledger, now = ask.goldfold.ledger, datetime.now(UTC)
    raise_objection(ledger, _who(ask), given.adjudication, given.reason, ask.actor, now)
    return ask.back(HOME, "Your objection is with the leads. Their answer will stand here.")


@router.post("/me/opt-outs")
def opt_out(ask: AnnotatorAsk) -> Response:
    """Choose the policies that one is not asked about."""
    goldfold, who = ask.goldfold, _who(ask)
    if _on_roster(goldfold, who) is None:
        raise NotFound(f"{who!r} is not on the roster: ask a lead to put you there (goldfold roster add)")
    chosen = sorted(name.removeprefix(OPT_OUT) for name in ask.form if name.startswith(OPT_OUT))
    change_person(goldfold.ledger.people, goldfold.policies, ask.actor, who, {"opt_outs": chosen})
    return ask.back(HOME, "Noted. It holds from the next hand-out on; what lies on your desk you may skip.")


@router.get("/quality/objections")
def desk(ask: LeadAsk, start: Start = 0) -> Response:
    """Everybody's objections, the open ones first."""
    found = sorted(ask.goldfold.ledger.objections.all(), key=lambda one: one.state is not ObjectionState.OPEN)
    shown = found[start : start + SHOWN]
    items = ask.goldfold.ledger.items.by_id(sorted({one.item_id for one in shown}))
    data = {
        "rows": [
            {"objection": one, "external_id": items[one.item_id].external_id if one.item_id in items else ""}
            for one in shown
        ],
        "count": len(found),
        "open": sum(one.state is ObjectionState.OPEN for one in found),
        "start": start,
        "next": start + SHOWN if len(found) > start + SHOWN else 0,
        "names": names_of(ask),
        "most": MAX_WORDS,
    }
    return ask.show(Page("Objections", "objections.html", data))


@router.post("/quality/objections")
def answer(ask: LeadAsk) -> Response:
    """A lead's answer to one."""
    given = ask.typed(AnswerForm)
    state = ObjectionState(given.state)
    answer_objection(ask.goldfold.ledger, given.objection, state, given.answer, ask.actor, datetime.now(UTC))
    reopened = " Its gold is in quarantine until it is decided anew." if state is ObjectionState.REOPENED else ""
    return ask.back(DESK, f"Answered.{reopened}")


def _who(ask: Ask) -> str:
    return ask.visitor.key.name.strip().casefold()


def _on_roster(goldfold: Goldfold, who: str) -> Person | None:
    try:
        return goldfold.ledger.people.get(who)
    except (NotFound, InvalidInput):
        return None


def _results(ask: Ask) -> dict[str, Any]:
    told: dict[str, Any] = jsonable_encoder(get_my_page(ask.goldfold, ask.visitor.key))
    return told


def _policies(goldfold: Goldfold, opt_outs: Collection[str]) -> list[dict[str, Any]]:
    return [
        {"id": one.id, "title": one.title, "is_out": one.id in opt_outs}
        for one in sorted(goldfold.policies.values(), key=lambda policy: policy.id)
    ]


def _exposure(days: Kept[list[ExposureDay]], cap: float, zone: str) -> list[Chart]:
    if days.value is None:
        return []
    names = [one.day.isoformat() for one in days.value]
    series = [
        Series("seen", names, [one.units for one in days.value]),
        Series("cap", names, [cap] * len(names), reference=True),
    ]
    caption = f"Days begin at midnight, {zone}. One unit is half a minute with one text of the mildest kind."
    return [Chart("exposure", "Exposure by day", "line", "day", "units", series, caption=caption)]
