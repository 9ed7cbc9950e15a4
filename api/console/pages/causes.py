"""The root-cause desk: findings, why they happen, and what is done about them: /console/quality/causes. For leads.

A code is shown once all codes of its finding are in: the desk (``labeling.insights.causes``) tells them to nobody
before, so no page can.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response

from api import root_causes
from api.console.forms import checked, given, lines, part
from api.console.page import Ask, LeadAsk, Page
from api.console.pages.audit import names_of
from api.drafts import check_endpoint, draft_cause
from api.routes.causes import ActionIn, CodingIn, EndIn, FindingIn
from labeling.cause_records import AREAS, CODES, SLICE_KEYS
from labeling.decision_records import ErrorType
from labeling.insights.causes import AT_LEAST, KPIS, Wanted
from labeling.insights.drafts import Draft

router = APIRouter(prefix="/quality")
PATH = "/console/quality/causes"
SHOWN = 50  # rows of a page
STATES = ("uncoded", "open", "in work", "mended")
ACTION_STATES = ("open", "done", "verified", "missed", "dropped")
PREFILLED = ("title", "statement", "origin", "policy_version", "error_type")
FIRST_KEYS = ("project", "policy", "language", "who")  # of a slice: what the form shows at once
VALUES = 500  # of each circumstance of decisions, that a form proposes
Start = Annotated[int, Query(ge=0)]
Json = dict[str, Any]


@router.get("/causes")
def desk(ask: LeadAsk, state: str = "", start: Start = 0) -> Response:
    """The findings, the gravest first, and how far coders agree."""
    found = [one for one in root_causes.findings(ask.goldfold) if state in ("", one["state"])]
    agreement = ask.kept("causes.agreement", lambda: root_causes.agreement(ask.goldfold))
    rest = start + SHOWN if len(found) > start + SHOWN else 0
    shown = found[start : start + SHOWN]
    data = {"findings": shown, "count": len(found), "state": state, "states": STATES, "next": rest}
    return ask.show(Page("Root causes", "causes.html", {**data, "agreement": agreement}))


@router.get("/causes/new")
def ask_for_one(ask: LeadAsk) -> Response:
    """The form of a new finding; a pattern's page fills in what it knows."""
    known = ask.request.query_params
    filled = {name: known.get(name, "") for name in (*PREFILLED, *SLICE_KEYS)}
    more = any(filled[key] for key in SLICE_KEYS if key not in FIRST_KEYS)
    data = {"filled": filled, "slice_keys": SLICE_KEYS, "errors": [one.value for one in ErrorType], "more": more}
    data["known"] = _known(ask)
    return ask.show(Page("Open a finding", "cause_new.html", data))


@router.post("/causes/new")
def open_one(ask: LeadAsk) -> Response:
    """Open a finding."""
    names = ("title", "statement", "origin", "policy_version", "error_type", "severity", "cost_minutes")
    said = {**given(ask.form, *names), "slice": part(ask.form, "slice"), "item_ids": lines(ask.form, "item_ids")}
    made = root_causes.open_(ask.goldfold, checked(FindingIn, said).told(), ask.actor)
    return ask.back(f"{PATH}/{made.finding_id}", "The finding is open. Next: its cause.")


@router.get("/causes/{finding_id}")
def finding(ask: LeadAsk, finding_id: str) -> Response:
    """One finding: its coding, its actions, its recurrences."""
    return ask.show(_page(ask, finding_id))


@router.post("/causes/{finding_id}/code")
def code(ask: LeadAsk, finding_id: str) -> Response:
    """Say why it happens."""
    said = checked(CodingIn, given(ask.form, "code", "note"))
    made = root_causes.code(ask.goldfold, finding_id, said.code, said.note, ask.actor)
    return ask.back(f"{PATH}/{finding_id}", f"Your {made.role.value} code is in.")


@router.post("/causes/{finding_id}/draft")
def draft(ask: LeadAsk, finding_id: str) -> Response:
    """What a chat service would say. It is kept nowhere, and refused while two people are to code the finding."""
    named = ask.form.get("endpoint", "")
    check_endpoint(ask.goldfold, named)
    return ask.show(_page(ask, finding_id, draft_cause(ask.goldfold, finding_id, named)))


@router.post("/causes/{finding_id}/actions")
def act(ask: LeadAsk, finding_id: str) -> Response:
    """Agree on a corrective action."""
    said = checked(
        ActionIn, {**given(ask.form, "what", "owner", "kpi", "target", "due"), "slice": part(ask.form, "slice")}
    )
    root_causes.act(ask.goldfold, finding_id, Wanted(**said.model_dump()), ask.actor)
    return ask.back(f"{PATH}/{finding_id}", "The action is agreed; its KPI as it is now is kept with it.")


@router.get("/actions")
def actions(ask: LeadAsk, state: str = "", start: Start = 0) -> Response:
    """What is done about findings: owners, due days, and whether it helped."""
    every = [
        {**action, "finding": one["finding_id"], "title": one["title"]}
        for one in root_causes.findings(ask.goldfold)
        for action in one["actions"]
        if state in ("", action["state"])
    ]
    every.sort(key=lambda one: (not one["is_late"], one["due"], one["action_id"]))
    rest = start + SHOWN if len(every) > start + SHOWN else 0
    data = {"actions": every[start : start + SHOWN], "count": len(every), "state": state, "states": ACTION_STATES}
    return ask.show(Page("Actions", "actions.html", {**data, "at_least": sorted(AT_LEAST), "next": rest}))


@router.post("/actions/{action_id}/{step}")
def move(ask: LeadAsk, action_id: str, step: Literal["done", "drop", "verify"]) -> Response:
    """An action was done, is dropped, or is to be verified by figures."""
    said = _moved(ask, action_id, step)
    where = ask.form.get("finding", "")
    return ask.back(f"{PATH}/{where}" if where.isidentifier() else "/console/quality/actions", said)


def _moved(ask: Ask, action_id: str, step: str) -> str:
    if step == "verify":
        told = root_causes.prove(ask.goldfold, action_id, ask.actor)
        more = told["n_needed"]
        lacks = f" About {more} sampled decisions would tell, if the share stays what it is." if more else ""
        return f"{action_id}: {told['proof']}, by {told['after']['n']} decisions since it was done.{lacks}"
    reason = checked(EndIn, given(ask.form, "reason")).reason
    root_causes.end(ask.goldfold, action_id, ask.actor, reason, dropped=step == "drop")
    return f"{action_id} is {'dropped' if step == 'drop' else 'done: decisions made from now on show if it helped'}."


def _known(ask: Ask) -> dict[str, list[str]]:
    """By circumstance, the values that decisions have; {} while they are being looked up."""
    return ask.kept("decisions.values", lambda: ask.goldfold.ledger.decisions.values(VALUES)).value or {}


def _page(ask: Ask, finding_id: str, made: Draft | None = None) -> Page:
    told = root_causes.finding(ask.goldfold, finding_id)
    data = {
        "finding": told,
        "has_coded": root_causes.has_coded(ask.goldfold, finding_id, ask.actor),
        "areas": {area: [code for code in CODES if code.startswith(f"{area}.")] for area in AREAS},
        "area_names": AREAS,
        "codes": CODES,
        "kpis": KPIS,
        "at_least": sorted(AT_LEAST),
        "slice_keys": SLICE_KEYS,
        "known": _known(ask),
        "names": names_of(ask),
        "services": root_causes.services(ask.goldfold),
        "draft": made,
    }
    return Page(told["title"], "cause.html", data)
