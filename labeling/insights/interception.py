"""Interception: of the items that violate, how many were removed, by which stage first, and how sure that is.

A unit is an item under a policy, as it stands at the end of the period (``labeling.insights.removals``). Stages count
what was decided. Recall needs to know what was missed: daily QA's samples are the audits, of what was removed and of
what each kind of decider left up. A unit's chance of being audited is that of its newest decision, so only units whose
newest decision lies on a day that was sampled are spoken for; ``unsampled`` counts the others.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from labeling.decision_records import Decided, Decision, ErrorType, QaDay
from labeling.errors import InvalidInput, NothingToDo
from labeling.figures import Origin, link
from labeling.golden.newest import newest_name
from labeling.insights.causes import RECALL, Told
from labeling.insights.daily_qa import bounds
from labeling.insights.qa_verdicts import WAITING, Reviewed, reviewed
from labeling.insights.removals import STAGES, Removal, removals
from labeling.insights.weeks import Window
from labeling.quality.audits import Audit, audit_of, help_of, interval_of, recall_of
from labeling.quality.intervals import ENOUGH, FEW, INSUFFICIENT
from labeling.store.decision_interface import Decisions
from labeling.store.interfaces import Golden, ItemRegistry, Lake, PolicyVersions, Tasks
from labeling.store.signal_interface import Signals

LICENCE = "population: items decided about on sampled days, audited with known inclusion probability on both sides"
UNFINISHED = "provisional: {n} audited items wait for an answer, and the others of their stratum stand for them"
UNCHECKED = "none: nothing of {names} was audited; goldfold qa sample draws some"
NOTHING_BAD = "none: no audit found anything that violates"
REMOVED = "removed"
WANTED = 0.9  # the floor of recall that the n that would help is told for
WHERE = "/v1/interception/items"
AUDITED, MISSED, LEFT_UP, RESTORED = "audited", "missed", "left up", "restored"
DECIDED, UNSAMPLED = "decided", "not sampled"
KINDS = (AUDITED, MISSED, REMOVED, LEFT_UP, RESTORED, DECIDED, UNSAMPLED, *STAGES)  # of items that a slice names
MOST_SHOWN = 1000  # that a ticket names
_PAGE = 5000
Key = tuple[str, int]  # policy and severity
Json = dict[str, object]


class Stores(Protocol):
    """The part of the ledger that interception is read from."""

    @property
    def items(self) -> ItemRegistry: ...

    @property
    def decisions(self) -> Decisions: ...

    @property
    def signals(self) -> Signals: ...

    @property
    def tasks(self) -> Tasks: ...

    @property
    def golden(self) -> Golden: ...

    @property
    def policies(self) -> PolicyVersions: ...


@dataclass(frozen=True, slots=True)
class _Unit:
    """``views`` of the item; ``is_covered``: its newest decision lies on a sampled day."""

    removal: Removal
    views: int
    is_covered: bool


@dataclass(frozen=True, slots=True)
class _Slice:
    """A policy at a severity: its units, and the audits of them."""

    key: Key
    units: Sequence[_Unit]
    audits: Mapping[tuple[str, str], Reviewed]  # by pair: what was audited and judged
    waiting: int
    wanted: float

    @property
    def strata(self) -> dict[str, list[_Unit]]:
        found: dict[str, list[_Unit]] = {}
        for unit in self.units:
            if unit.is_covered:
                found.setdefault(unit.removal.stratum, []).append(unit)
        return dict(sorted(found.items()))

    def checked(self, units: Sequence[_Unit]) -> list[tuple[_Unit, Reviewed]]:
        return [(unit, self.audits[unit.removal.pair]) for unit in units if unit.removal.pair in self.audits]


def interception(
    stores: Stores, lake: Lake, span: Window, actions: Mapping[str, Decided], wanted: float = WANTED, policy: str = ""
) -> Json:
    """Each policy and severity, the gravest first; JSON-able. ``wanted``: the floor of recall, in (0, 1), that the n
    that would help is told for. Raises InvalidInput, NothingToDo when nothing was decided."""
    if not 0 < wanted < 1:
        raise InvalidInput(f"wanted: must lie in (0, 1), found {wanted}")
    golden = newest_name(stores.golden)
    told = [_told(one, span, golden) for one in _found(stores, lake, span, actions, wanted, policy)]
    return {
        **span.as_dict(),
        "wanted_floor": wanted,
        "slices": sorted(told, key=lambda one: (-int(str(one["severity"])), str(one["policy"]))),
    }


def intercepted_items(
    stores: Stores, lake: Lake, span: Window, actions: Mapping[str, Decided], policy: str, severity: int, kind: str
) -> list[str]:
    """The items of a slice, sorted: those that were ``audited`` and judged, those of them that were ``missed`` (they
    violate, and were not removed), all that are ``removed``, ``left up`` or ``restored``, that were ``decided`` about,
    that are ``not sampled``, or that a stage removed first. Raises InvalidInput for another kind, NothingToDo when
    nothing was decided."""
    if kind not in KINDS:
        raise InvalidInput(f"kind: {kind!r} is none of {', '.join(KINDS)}")
    slices = _found(stores, lake, span, actions, WANTED, policy)
    mine = (one for one in slices if one.key == (policy, severity))
    return sorted({unit.removal.pair[0] for one in mine for unit in _of_kind(one, kind)})


def _found(
    stores: Stores, lake: Lake, span: Window, actions: Mapping[str, Decided], wanted: float, policy: str
) -> list[_Slice]:
    days = [day for day in stores.decisions.days() if span.first.isoformat() <= day.day <= span.last.isoformat()]
    found = [
        one
        for one in removals(_decisions(stores.decisions, span), stores.signals.within(span.since, span.until))
        if policy in ("", one.pair[1])
    ]
    if not found:
        raise NothingToDo(
            f"nothing was decided{f' under {policy}' if policy else ''} from {span.first} to {span.last}: import "
            "decisions first (goldfold decisions import)"
        )
    return _slices(stores, lake, found, days, actions, wanted)


def _of_kind(one: _Slice, kind: str) -> list[_Unit]:
    if kind in (AUDITED, MISSED):
        checked = one.checked(one.units)
        return [unit for unit, row in checked if kind == AUDITED or (row.violates and not unit.removal.is_removed)]
    if kind in STAGES:
        return [unit for unit in one.units if unit.removal.is_removed and unit.removal.stage == kind]
    if kind == UNSAMPLED:
        return [unit for unit in one.units if not unit.is_covered]
    if kind in (RESTORED, DECIDED):
        return [unit for unit in one.units if kind == DECIDED or unit.removal.is_restored]
    return [unit for unit in one.units if unit.removal.is_removed == (kind == REMOVED)]


def ticket_of(told: Json, policy: str, severity: int, missed: Sequence[str] = ()) -> Told:
    """What a finding on the root-cause desk says of a slice; its KPI is ``recall``. ``missed``: the items that show it.
    Raises NothingToDo where the answer has no such slice."""
    slices = told["slices"]
    for one in slices if isinstance(slices, list) else []:
        if (one["policy"], one["severity"]) == (policy, severity):
            return _ticket(told, one, missed)
    raise NothingToDo(
        f"nothing was decided under {policy} at S{severity} from {told['from']} to {told['to']}: goldfold interception "
        "lists policies and severities"
    )


def _ticket(told: Json, one: Json, missed: Sequence[str]) -> Told:
    recall, stages = one["recall"], one["stages"]
    figure = recall["items"] if isinstance(recall, dict) else {}
    counts = ", ".join(f"{s['stage']} {s['items']}" for s in stages) if isinstance(stages, list) else ""
    statement = (
        f"From {told['from']} to {told['to']}, recall in items is {_said(figure)} "
        f"(golden {figure.get('golden_version')}). "
        f"Removed first by: {counts}; left up: {one['left_up']}. {figure.get('advice') or ''}"
    )
    return Told(
        title=f"{one['policy']} (S{one['severity']}) gets through",
        statement=statement.strip(),
        slice={"policy": str(one["policy"])},
        item_ids=tuple(missed[:MOST_SHOWN]),
        error_type=ErrorType.UNDER,
        severity=int(str(one["severity"])),
        origin=f"interception:{one['policy']}:S{one['severity']}:{told['to']}",
        policy_version=str(figure.get("policy_version") or ""),
    )


def _said(figure: Mapping[str, object]) -> str:
    if figure.get("value") is None:
        return f"not known ({figure.get('licence')})"
    return f"{figure['value']:.3f}, at least {figure['floor']:.3f} with empty strata at their bound, n {figure['n']}"


def _decisions(decisions: Decisions, span: Window) -> Iterator[Decision]:
    after: tuple[datetime, str, str] | None = None
    while page := decisions.page(span.since, span.until, after=after, limit=_PAGE):
        yield from page
        after = (page[-1].decided_at, *page[-1].key)


def _slices(
    stores: Stores,
    lake: Lake,
    found: Sequence[Removal],
    days: Sequence[QaDay],
    actions: Mapping[str, Decided],
    wanted: float,
) -> list[_Slice]:
    severities = {(one.policy_id, one.version): int(str(one.text["severity"])) for one in stores.policies.all()}
    views = _views(stores.items, lake, sorted({one.pair[0] for one in found}))
    spans = [bounds(date.fromisoformat(day.day), day.zone) for day in days]
    rows = {row.decision.key: row for row in reviewed(stores, days, actions)}
    units: dict[Key, list[_Unit]] = defaultdict(list)
    for one in found:
        at = one.last.decided_at
        is_covered = any(since <= at < until for since, until in spans)
        key = (one.pair[1], severities[one.pair[1], one.last.policy_version])
        units[key].append(_Unit(one, views.get(one.pair[0], 0), is_covered))
    made = []
    for key, mine in units.items():
        audits = {unit.removal.pair: rows[unit.removal.last.key] for unit in mine if unit.removal.last.key in rows}
        waiting = sum(row.verdict == WAITING for row in audits.values())
        judged = {pair: row for pair, row in audits.items() if row.is_judged}
        made.append(_Slice(key, mine, judged, waiting, wanted))
    return made


def _views(items: ItemRegistry, lake: Lake, item_ids: Sequence[str]) -> dict[str, int]:
    """Of items that are there; the views of others went with their content."""
    found: dict[str, int] = {}
    for start in range(0, len(item_ids), _PAGE):
        there = sorted(items.by_id(item_ids[start : start + _PAGE]))
        for row in lake.take(there, ["views"]).to_pylist() if there else []:
            found[str(row["item_id"])] = int(row["views"] or 0)
    return found


def _told(one: _Slice, span: Window, golden: str) -> Json:
    removed = [unit for unit in one.units if unit.removal.is_removed]
    by_stage = {stage: [unit for unit in removed if unit.removal.stage == stage] for stage in STAGES}
    versions = ", ".join(sorted({unit.removal.last.policy_version for unit in one.units}))
    origin = Origin("", golden, versions, _link(one.key, span, AUDITED))
    recall = {"items": _recall(one, in_views=False), "views": _recall(one, in_views=True)}
    return {
        "policy": one.key[0],
        "severity": one.key[1],
        "decided": len(one.units),
        "decided_views": _sum(one.units),
        "unsampled": sum(not unit.is_covered for unit in one.units),
        "stages": [{"stage": stage, "items": len(mine), "views": _sum(mine)} for stage, mine in by_stage.items()],
        "left_up": len(one.units) - len(removed),
        "left_up_views": _sum(one.units) - _sum(removed),
        "restored": sum(unit.removal.is_restored for unit in one.units),
        "kpi": RECALL,
        "recall": origin.within(recall),
        "missed": {"count": len(_of_kind(one, MISSED)), "items": _link(one.key, span, MISSED)},
    }


def _link(key: Key, span: Window, kind: str) -> str:
    policy, severity = key
    return link(WHERE, first=span.first, last=span.last, policy=policy, severity=severity, kind=kind)


def _recall(one: _Slice, *, in_views: bool) -> Json:
    """The figure with its floor, the strata behind it, and the n that would help."""
    strata, made, bare = one.strata, list[Audit](), list[str]()
    for name, units in strata.items():
        size = _sum(units) if in_views else len(units)
        checked = [(unit, row) for unit, row in one.checked(units) if unit.views or not in_views]
        if not size:
            continue
        if not checked:
            bare.append(name)
            continue
        sizes = [float(unit.views) for unit, _ in checked] if in_views else None
        violates, pi = [row.violates for _, row in checked], [row.sampled.pi for _, row in checked]
        made.append(audit_of(name, size, violates, pi, sizes))
    n = sum(len(one.checked(units)) for units in strata.values())
    removed = next((audit for audit in made if audit.name == REMOVED), Audit(REMOVED, 0, 1, 0))
    approved = [audit for audit in made if audit.name != REMOVED]
    base: Json = {"n": n, "strata": [_stratum(audit) for audit in made], "unchecked": bare}
    if bare or not made:
        names = " and ".join(bare) if bare else "this slice"
        return base | _nothing(UNCHECKED.format(names=names))
    recall, (low, high) = recall_of(removed, approved), interval_of(removed, approved)
    if math.isnan(recall.point):
        return base | _nothing(NOTHING_BAD)
    more = help_of(removed, approved, one.wanted)
    return base | {
        "value": recall.point if n > FEW else None,
        "floor": recall.floor,
        "low": low,
        "high": high,
        "verdict": ENOUGH if n > FEW else INSUFFICIENT,
        "licence": UNFINISHED.format(n=one.waiting) if one.waiting else LICENCE,
        "empty": list(recall.empty),
        "helps": None if more is None else {"stratum": more.name, "checks": more.checks},
        "advice": _advice(recall.empty, more.name if more else "", more.checks if more else None, one.wanted),
    }


def _nothing(licence: str) -> Json:
    names = ("value", "floor", "low", "high", "helps")
    return dict.fromkeys(names) | {"verdict": INSUFFICIENT, "licence": licence, "empty": [], "advice": ""}


def _advice(empty: Sequence[str], name: str, checks: int | None, wanted: float) -> str:
    if not name:
        return ""
    if checks is None:
        return (
            f"No number of clean checks of what was {name} raises the floor to {wanted}: too much was found elsewhere."
        )
    return (
        f"Nothing was found in what was {', '.join(empty)}: {checks} more clean checks of what was {name}, "
        f"drawn evenly, raise the floor to {wanted}."
    )


def _stratum(audit: Audit) -> Json:
    return {"stratum": audit.name, "size": audit.items, "checked": audit.checked, "violating": audit.violating}


def _sum(units: Sequence[_Unit]) -> int:
    return sum(unit.views for unit in units)
