"""Policies: their texts coloured by where people disagree, their history and what it brought: /console/policies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from itertools import chain
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from api import sops
from api.auth import RANK, Role
from api.composition import Goldfold
from api.console.actors import unnamed
from api.console.charts import Chart
from api.console.formats import policy as policy_words
from api.console.page import Ask, EngineerAsk, LeadAsk, Page, ViewerAsk
from api.console.series import basis_of, of_figures
from api.policy_changes import progressed, relabel, standing, standings, told
from api.policy_effects import effects
from api.policy_proposals import approve, reject
from labeling.errors import InvalidInput, NotFound, NothingToDo
from labeling.insights.policy_effect import MEASURES, SPANS_DAYS
from labeling.insights.policy_text import mark_of_definition, marks
from labeling.policy_bridge import bridge_report
from labeling.policy_proposals import PolicyProposal
from labeling.policy_publish import history_of
from labeling.policy_texts import difference
from labeling.policy_versions import PolicyVersion, published
from labeling.sop.tree import Sop

router = APIRouter(prefix="/policies")
PATH = "/console/policies"
SHOWN = 100  # policies of a page
EFFECTS = (10, 50)  # versions whose effect is told: at first, and where more are asked for
CONTENT = {"examples": (), "near_misses": ()}  # of a rule: told to whoever asks
ROOMS = (
    ("", "Text", Role.VIEWER),
    ("/tree", "Decision tree", Role.VIEWER),
    ("/history", "History", Role.VIEWER),
    ("/progress", "Labels given again", Role.VIEWER),
    ("/what-if", "What if", Role.ENGINEER),
    ("/proposals", "Proposals", Role.VIEWER),
)
After = Annotated[str, Query(max_length=100)]
Json = dict[str, Any]


def rooms(ask: Ask, policy_id: str) -> Json:
    """What each page of a policy shows above itself: its parts that the visitor may see."""
    seen = [(f"{PATH}/{policy_id}{part}", label) for part, label, role in ROOMS if RANK[role] <= RANK[ask.visitor.role]]
    return {"policy_id": policy_id, "rooms": seen}


@router.get("")
def all_policies(ask: ViewerAsk, after: After = "") -> Response:
    """Every policy: the version in force, a draft that waits, how much of its gold is stale."""
    found = ask.kept("policies", lambda: [_standing(one) for one in standings(ask.goldfold)])
    rows = [row for row in found.value or () if str(row["policy"]) > after]
    waits = {one.policy_id for one in ask.goldfold.ledger.proposals.all() if one.state == "proposed"}
    rest = str(rows[SHOWN - 1]["policy"]) if len(rows) > SHOWN else ""
    data = {"found": replace(found, value=None if found.value is None else rows[:SHOWN]), "next": rest}
    return ask.show(Page("Policies", "policies.html", {**data, "waits": sorted(waits)}))


@router.get("/{policy_id}")
def text(ask: ViewerAsk, policy_id: str, version: str = "", examples: bool = False) -> Response:
    """A policy's text, coloured by how people read it. ``examples``: with those of its rules, which are content: that
    somebody asked for them is noted."""
    goldfold = ask.goldfold
    history = history_of(goldfold.ledger, policy_id)
    one = published(history, version) if version else history[-1]
    now = ask.kept(("policies.standing", policy_id), lambda: _standing(standing(goldfold, policy_id)))
    marked = ask.kept(("policies.marks", policy_id, one.version), lambda: _marks(goldfold, one))
    if examples:
        goldfold.ledger.audit.add(ask.actor, "content.shown", policy_id, {"where": "console", "examples": one.version})
    rules = tuple(rule if examples else rule.model_copy(update=CONTENT) for rule in one.policy.rules)
    data = {
        **rooms(ask, policy_id),
        "version": unnamed(ask, told(one)),
        "text": one.policy.model_copy(update={"rules": rules}),
        "examples": examples,
        "has_examples": any(rule.examples or rule.near_misses for rule in one.policy.rules),
        "standing": now,
        "marks": marked,
        "tree": [sop.id for sop in sops.sops(goldfold).values() if sop.policy == policy_id],
        "is_newest": one is history[-1],
    }
    return ask.show(Page(one.policy.title, "policy.html", data))


@router.get("/{policy_id}/progress")
def progress(ask: ViewerAsk, policy_id: str) -> Response:
    """How far stale labels have been given again, and what the newest bridge says."""
    goldfold = ask.goldfold
    history_of(goldfold.ledger, policy_id)
    done = ask.kept(("policies.progress", policy_id), lambda: asdict(progressed(goldfold, policy_id)))
    bridge = ask.kept(("policies.bridge", policy_id), lambda: bridge_report(goldfold.ledger, policy_id).as_dict())
    data = {
        **rooms(ask, policy_id),
        "progress": done,
        "bridge": bridge,
        "budget": goldfold.settings.budget,
    }
    return ask.show(Page(f"{policy_words(policy_id)}: labels given again", "policy_progress.html", data))


@router.post("/{policy_id}/relabel")
def open_round(ask: EngineerAsk, policy_id: str) -> Response:
    """Open the next round over the stale labels."""
    made = relabel(ask.goldfold, policy_id, _number(ask, "budget", ask.goldfold.settings.budget), actor=ask.actor)
    return ask.back(f"{PATH}/{policy_id}/progress", f"The round {made.round_id} is open; the next sync sends it.")


@router.get("/{policy_id}/history")
def history(ask: ViewerAsk, policy_id: str, more: bool = False) -> Response:
    """Its versions, in what each differs, and what it brought; ``more``: of older versions too."""
    goldfold = ask.goldfold
    every = history_of(goldfold.ledger, policy_id)
    most = EFFECTS[more]
    found = ask.kept(("policies.effects", policy_id, most), lambda: effects(goldfold, policy_id, most))
    versions = [{**unnamed(ask, told(one)), "changed": _changed(every, one)} for one in reversed(every)]
    effected = [unnamed(ask, one) for one in found.value or ()]
    data = {
        **rooms(ask, policy_id),
        "versions": versions,
        "most": most,
        "older": len(every) > most and not more,
        "effects": found if found.value is None else replace(found, value=effected),
        "measures": MEASURES,
        "by_version": {one["version"]: one for one in effected},
    }
    charts = _effect_charts(effected)
    return ask.show(Page(f"{policy_words(policy_id)}: history", "policy_history.html", data, charts=charts))


@router.get("/{policy_id}/proposals")
def proposals(ask: ViewerAsk, policy_id: str) -> Response:
    """The versions that were proposed, the newest first, in what they differ, and who decided."""
    ledger = ask.goldfold.ledger
    history = history_of(ledger, policy_id)
    rows = [
        {
            "proposal": _proposal(ask, one),
            "may_decide": ask.is_lead and one.state == "proposed" and one.author != ask.actor,
            "lines": difference(history[-1].policy, one.policy, history[-1].version, one.version).lines,
        }
        for one in reversed(ledger.proposals.all(policy_id))
    ]
    data = {**rooms(ask, policy_id), "rows": rows, "two": ask.goldfold.settings.two_person_release}
    return ask.show(Page(f"{policy_words(policy_id)}: proposals", "policy_proposals.html", data))


@router.post("/{policy_id}/proposals/{version}/approve")
def approved(ask: LeadAsk, policy_id: str, version: str) -> Response:
    """Publish what another lead proposed."""
    approve(ask.goldfold, policy_id, version, ask.actor, ask.form.get("reason", ""))
    return ask.back(f"{PATH}/{policy_id}/history", f"{policy_id} {version} is published.")


@router.post("/{policy_id}/proposals/{version}/reject")
def rejected(ask: LeadAsk, policy_id: str, version: str) -> Response:
    """Turn it down."""
    reject(ask.goldfold, policy_id, version, ask.actor, ask.form.get("reason", ""))
    return ask.back(f"{PATH}/{policy_id}/proposals", f"{policy_id} {version} is turned down.")


def _standing(told_of: Mapping[str, object]) -> Json:
    """Without the versions, which the history has."""
    return {name: value for name, value in told_of.items() if name != "versions"}


def _proposal(ask: Ask, one: PolicyProposal) -> Json:
    """A proposal without its text, which may quote content."""
    told_of = {each.name: getattr(one, each.name) for each in fields(one) if each.name != "text"}
    return unnamed(ask, told_of)


def _marks(goldfold: Goldfold, one: PolicyVersion) -> Json:
    try:
        cells: Any = goldfold.agreements(consensus=False).as_dict()["cells"]
    except NothingToDo:
        cells = []
    sop = next((each for each in sops.sops(goldfold).values() if each.policy == one.policy_id), None)
    rules = marks(one.policy, cells, sop, _replayed(goldfold, sop))
    return {"definition": mark_of_definition(one.policy_id, cells), "rules": rules}


def _replayed(goldfold: Goldfold, sop: Sop | None) -> Json | None:
    try:
        return None if sop is None else sops.kept_replay(goldfold, sop)
    except NotFound:
        return None


def _changed(every: Sequence[PolicyVersion], one: PolicyVersion) -> Json | None:
    """In what a version differs from the one before; None of the first."""
    parent = next((other for other in every if other.version == one.parent), None)
    return None if parent is None else asdict(difference(parent.policy, one.policy, parent.version, one.version))


def _effect_charts(told: Sequence[Mapping[str, Any]]) -> list[Chart]:
    """What each measure moved by with each version, the oldest first; what has too few answers has no point."""
    versions = [one for one in reversed(told) if one["parent"]]
    if not versions:
        return []
    names = [one["version"] for one in versions]
    charts = []
    for measure in MEASURES:
        moved = [[one["spans"][place][measure]["change"] for one in versions] for place, _ in enumerate(SPANS_DAYS)]
        series = [of_figures(f"{days} days", names, each) for days, each in zip(SPANS_DAYS, moved, strict=True)]
        if any(value is not None for each in series for value in each.y):
            title, rests = f"What {measure} moved by", basis_of(chain.from_iterable(moved))
            charts.append(Chart(measure, title, "points", "version", "after less before", series, basis=rests))
    return charts


def _number(ask: Ask, name: str, default: int) -> int:
    said = ask.form.get(name, "").strip()
    if said and not (said.isascii() and said.isdigit()):
        raise InvalidInput(f"{name}: {said!r} is no whole number")
    return int(said) if said else default
