"""The root-cause desk: findings, why they happen, what is done about them, and whether that helped.

A fifth of the findings, drawn by the hash of their ids, is coded by two people, the second without seeing the first
code. Where the two differ a lead says the final one. A finding has a cause once that is settled. An action is
*verified* only by figures: the interval of its KPI in its slice, over decisions made after it was done and sampled
with known probability, lies on the good side of the target. A finding with the cause and slice of one whose actions
were all verified before is a *recurrence*.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Protocol
from uuid import uuid4

from labeling.cause_records import (
    AREAS,
    CODES,
    SLICE_KEYS,
    Action,
    ActionEvent,
    ActionState,
    Coding,
    Finding,
    Role,
    Slice,
)
from labeling.decision_records import Decided, ErrorType
from labeling.errors import Conflict, InvalidInput, NotFound
from labeling.figures import Origin, versions_of
from labeling.golden.newest import newest_name
from labeling.insights.qa_verdicts import RIGHT, reviewed
from labeling.insights.sampled_items import ANSWERED, VIOLATING, Sampled, lies_in
from labeling.quality.agreement import summary
from labeling.quality.intervals import Figure
from labeling.quality.verification import Proof, needed, proof, weighted_share
from labeling.store.cause_interface import Causes
from labeling.store.decision_interface import Decisions
from labeling.store.interfaces import Golden, Tasks

ACCURACY = "accuracy"
RECALL = "recall"  # of the slice's decisions about items that violate, the share that removed
AT_LEAST = frozenset({ACCURACY, RECALL})  # KPIs that shall reach their target; the others shall stay below
KPIS = (ACCURACY, RECALL, *(error.value for error in ErrorType))
LICENCE = "population: sampled decisions of the slice, weighted by inclusion probability"
CODED = "sample: the findings that two people coded, drawn by a hash; it speaks for findings, not for traffic"
FINDINGS = "/v1/findings"
_SHOWN = {ACCURACY: ANSWERED, RECALL: VIOLATING}  # the verdict of the items behind a KPI; of an error, its own
Json = dict[str, object]


class Stores(Protocol):
    """The part of the ledger that the desk needs."""

    @property
    def causes(self) -> Causes: ...

    @property
    def decisions(self) -> Decisions: ...

    @property
    def tasks(self) -> Tasks: ...

    @property
    def golden(self) -> Golden: ...


@dataclass(frozen=True, slots=True)
class Told:
    """What somebody says when they open a finding."""

    title: str
    statement: str
    slice: Slice
    item_ids: tuple[str, ...] = ()
    error_type: ErrorType | None = None
    severity: int = 2
    cost_minutes: float | None = None
    origin: str = ""
    policy_version: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A corrective action that is agreed. ``slice`` {}: the finding's."""

    what: str
    owner: str
    kpi: str
    target: float
    due: date
    slice: Slice


@dataclass(frozen=True, slots=True)
class Measured:
    """A KPI of a slice, and what it rests on."""

    figure: Figure
    origin: Origin

    def as_dict(self) -> Json:
        """JSON-able."""
        return self.origin.of(self.figure.as_dict())


def open_finding(stores: Stores, told: Told, actor: str, now: datetime) -> Finding:
    """Raises InvalidInput naming the field, Conflict when its origin is told by another finding."""
    for name in ("title", "statement"):
        if not getattr(told, name).strip():
            raise InvalidInput(f"{name}: say it in a few words")
    if not 0 <= told.severity <= 4:
        raise InvalidInput(f"severity: must be 0 to 4, found {told.severity}")
    if told.cost_minutes is not None and not 0 <= told.cost_minutes < float("inf"):
        raise InvalidInput(f"cost_minutes: must be a number from 0 on, found {told.cost_minutes}")
    check_slice(told.slice)
    finding = Finding(
        finding_id=f"fnd_{uuid4().hex[:8]}",
        title=told.title.strip(),
        statement=told.statement.strip(),
        slice=told.slice,
        item_ids=told.item_ids,
        error_type=told.error_type,
        severity=told.severity,
        cost_minutes=told.cost_minutes,
        origin=told.origin,
        golden_version=newest_name(stores.golden),
        policy_version=told.policy_version,
        opened_by=actor,
        opened_at=now,
    )
    stores.causes.open(finding)
    return finding


def check_slice(where: Mapping[str, str]) -> None:
    """Raises InvalidInput naming the key."""
    for name, value in where.items():
        if name not in SLICE_KEYS:
            raise InvalidInput(f"slice: {name!r} is unknown (known: {', '.join(SLICE_KEYS)})")
        if not value.strip():
            raise InvalidInput(f"slice: {name}: is empty; leave it out")


def code_finding(stores: Stores, finding_id: str, code: str, note: str, actor: str, now: datetime) -> Coding:
    """The next coding that the finding waits for. Raises InvalidInput for a code nobody knows, NotFound, Conflict when
    it waits for none, or for somebody else's."""
    if code not in CODES:
        area = code.partition(".")[0]
        near = [name for name in CODES if name.startswith(f"{area}.")] if area in AREAS else list(AREAS)
        raise InvalidInput(f"code: {code!r} is unknown (known: {', '.join(near)})")
    finding, codings = find(stores.causes, finding_id), _by_role(stores.causes, finding_id)
    role = waits_for(finding, codings)
    if role is None:
        raise Conflict(f"finding {finding_id!r} has its cause: {settled(finding, codings)}")
    if role is not Role.FIRST and actor in {coding.coder for coding in codings.values()}:
        raise Conflict(f"finding {finding_id!r} waits for a {role.value} code by somebody who has not coded it yet")
    coding = Coding(finding_id, role, code, note.strip(), actor, now)
    stores.causes.code(coding)
    return coding


def waits_for(finding: Finding, codings: Mapping[Role, Coding]) -> Role | None:
    """Whose code is missing; None: nobody's."""
    if Role.FIRST not in codings:
        return Role.FIRST
    if not finding.is_double_coded or Role.FINAL in codings:
        return None
    if Role.SECOND not in codings:
        return Role.SECOND
    return None if codings[Role.FIRST].code == codings[Role.SECOND].code else Role.FINAL


def settled(finding: Finding, codings: Mapping[Role, Coding]) -> str | None:
    """The finding's cause; None while a code is missing."""
    if waits_for(finding, codings) is not None:
        return None
    return codings[Role.FINAL if Role.FINAL in codings else Role.FIRST].code


def coding_agreement(stores: Stores) -> Json:
    """How far first and second coders agree, on the area and on the whole code; JSON-able. Units are findings."""
    codings = _all_codings(stores.causes)
    pairs = [(one[Role.FIRST].code, one[Role.SECOND].code) for one in codings.values() if Role.SECOND in one]
    areas = [tuple(code.partition(".")[0] for code in pair) for pair in pairs]
    origin = Origin(CODED, newest_name(stores.golden), _versions_of_findings(stores.causes), FINDINGS)
    return {
        "pairs": len(pairs),
        "area": origin.within(summary(areas).as_dict()),
        "code": origin.within(summary(pairs).as_dict()),
    }


def agree_action(
    stores: Stores, finding_id: str, wanted: Wanted, actions: Mapping[str, Decided], actor: str, now: datetime
) -> Action:
    """Agree on an action; the KPI as it is now is kept with it. Raises InvalidInput naming the field, NotFound."""
    finding = find(stores.causes, finding_id)
    for name in ("what", "owner"):
        if not getattr(wanted, name).strip():
            raise InvalidInput(f"{name}: say it in a few words")
    if wanted.kpi not in KPIS:
        raise InvalidInput(f"kpi: {wanted.kpi!r} is unknown (known: {', '.join(KPIS)})")
    if not 0 < wanted.target < 1:
        raise InvalidInput(f"target: must lie in (0, 1), found {wanted.target}")
    where = wanted.slice or finding.slice
    check_slice(where)
    before = measure(stores, wanted.kpi, where, actions, until=now)
    action = Action(
        action_id=f"act_{uuid4().hex[:8]}",
        finding_id=finding_id,
        what=wanted.what.strip(),
        owner=wanted.owner.strip(),
        kpi=wanted.kpi,
        target=wanted.target,
        slice=where,
        due=wanted.due,
        before=before.as_dict(),
        opened_by=actor,
        opened_at=now,
    )
    stores.causes.act(action)
    return action


def finish(stores: Stores, action_id: str, actor: str, reason: str, now: datetime, *, dropped: bool = False) -> None:
    """It was done, or is not going to be. Raises NotFound, Conflict."""
    action = _action(stores.causes, action_id)
    state = state_of(action, stores.causes.events())
    allowed = (
        (ActionState.OPEN, ActionState.DONE, ActionState.MISSED) if dropped else (ActionState.OPEN, ActionState.MISSED)
    )
    if state not in allowed:
        raise Conflict(f"action {action_id!r} is {state.value} already")
    to = ActionState.DROPPED if dropped else ActionState.DONE
    stores.causes.move(ActionEvent(action_id, to, actor, reason.strip(), {}, now))


def verify(stores: Stores, action_id: str, actions: Mapping[str, Decided], actor: str, now: datetime) -> Json:
    """Measure the KPI since the action was done, and say verified, missed or not yet; the first two are written down.
    Raises NotFound, Conflict where it is not done."""
    action, events = _action(stores.causes, action_id), stores.causes.events()
    state = state_of(action, events)
    if state is not ActionState.DONE:
        raise Conflict(f"action {action_id!r} is {state.value}: only what is done can be verified")
    done_at = max(event.at for event in events if event.action_id == action_id and event.state is ActionState.DONE)
    after = measure(stores, action.kpi, action.slice, actions, since=done_at)
    at_least = action.kpi in AT_LEAST
    said = proof(after.figure, action.target, at_least=at_least)
    told = after.as_dict()
    if said is not Proof.OPEN:
        to = ActionState.VERIFIED if said is Proof.VERIFIED else ActionState.MISSED
        stores.causes.move(ActionEvent(action_id, to, actor, "", told, now))
    value = after.figure.value
    more = None if value is None else needed(value, action.target, at_least=at_least)
    return {
        "action": action_id,
        "kpi": action.kpi,
        "target": action.target,
        "slice": action.slice,
        "before": action.before,
        "after": told,
        "proof": said.value,
        "n_needed": more if said is Proof.OPEN else None,
    }


def measure(
    stores: Stores,
    kpi: str,
    where: Slice,
    actions: Mapping[str, Decided],
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Measured:
    """The KPI over the slice's sampled and re-reviewed decisions that were made in [since, until)."""
    rows = [
        row
        for row in reviewed(stores, stores.decisions.days(), actions)
        if row.is_judged
        and lies_in(row.decision, where)
        and (kpi != RECALL or row.violates)
        and (since is None or row.decision.decided_at >= since)
        and (until is None or row.decision.decided_at < until)
    ]
    wanted = RIGHT if kpi == ACCURACY else kpi
    counts = [row.decision.outcome is Decided.VIOLATES if kpi == RECALL else row.verdict == wanted for row in rows]
    items = Sampled(since=since, until=until, where=dict(where), verdict=_SHOWN.get(kpi, kpi))
    versions = versions_of((row.sampled.policy_id, row.sampled.policy_version) for row in rows)
    origin = Origin(LICENCE, newest_name(stores.golden), versions, items.link())
    return Measured(weighted_share(counts, [row.sampled.pi for row in rows]), origin)


def state_of(action: Action, events: Sequence[ActionEvent]) -> ActionState:
    """Its newest event's."""
    mine = [event.state for event in events if event.action_id == action.action_id]
    return mine[-1] if mine else ActionState.OPEN


def desk(stores: Stores, today: date) -> list[Json]:
    """Every finding with its cause, actions and recurrence, the gravest first; JSON-able but for times. Codes are shown
    once all are in: the second coder shall not see the first."""
    causes = stores.causes
    findings, codings, actions, events = causes.findings(), _all_codings(causes), causes.actions(), causes.events()
    codes = {one.finding_id: settled(one, codings.get(one.finding_id, {})) for one in findings}
    told = []
    for one in findings:
        mine = [_told(action, events, today) for action in actions if action.finding_id == one.finding_id]
        waits = waits_for(one, codings.get(one.finding_id, {}))
        shown = [asdict(coding) for coding in codings.get(one.finding_id, {}).values()]
        told.append(
            asdict(one)
            | {
                "cause": codes[one.finding_id],
                "cause_text": CODES.get(codes[one.finding_id] or "", ""),
                "waits_for": waits.value if waits else None,
                "codings": shown if waits in (None, Role.FINAL) else [],
                "actions": mine,
                "state": _state(codes[one.finding_id], [str(action["state"]) for action in mine]),
                "recurs": recurs(one, findings, codes, actions, events),
            }
        )
    return sorted(told, key=lambda one: (-int(str(one["severity"])), one["opened_at"], one["finding_id"]))


def recurs(
    finding: Finding,
    findings: Sequence[Finding],
    codes: Mapping[str, str | None],
    actions: Sequence[Action],
    events: Sequence[ActionEvent],
) -> list[str]:
    """Earlier findings of the same cause and slice that were thought mended: all their actions verified, dropped ones
    aside, before this one was opened."""
    found = []
    for other in findings:
        same = codes[other.finding_id] == codes[finding.finding_id] and _key(other.slice) == _key(finding.slice)
        if same and codes[finding.finding_id] and other.opened_at < finding.opened_at:
            before = [event for event in events if event.at < finding.opened_at]
            states = [state_of(action, before) for action in actions if action.finding_id == other.finding_id]
            kept = [state for state in states if state is not ActionState.DROPPED]
            if kept and all(state is ActionState.VERIFIED for state in kept):
                found.append(other.finding_id)
    return found


def find(causes: Causes, finding_id: str) -> Finding:
    """Raises NotFound."""
    for finding in causes.findings():
        if finding.finding_id == finding_id:
            return finding
    raise NotFound(f"there is no finding {finding_id!r}")


def _action(causes: Causes, action_id: str) -> Action:
    for action in causes.actions():
        if action.action_id == action_id:
            return action
    raise NotFound(f"there is no action {action_id!r}")


def _all_codings(causes: Causes) -> dict[str, dict[Role, Coding]]:
    found: dict[str, dict[Role, Coding]] = {}
    for coding in causes.codings():
        found.setdefault(coding.finding_id, {})[coding.role] = coding
    return found


def _by_role(causes: Causes, finding_id: str) -> dict[Role, Coding]:
    return _all_codings(causes).get(finding_id, {})


def _told(action: Action, events: Sequence[ActionEvent], today: date) -> Json:
    state = state_of(action, events)
    mine = [asdict(event) | {"figure": event.figure or None} for event in events if event.action_id == action.action_id]
    late = state in (ActionState.OPEN, ActionState.MISSED) and action.due < today
    return asdict(action) | {"state": state.value, "is_late": late, "events": mine}


def _state(cause: str | None, states: Sequence[str]) -> str:
    """Of a finding: ``uncoded``, ``open`` (nothing is being done), ``in work``, or ``mended``."""
    kept = [state for state in states if state != ActionState.DROPPED.value]
    if kept and all(state == ActionState.VERIFIED.value for state in kept):
        return "mended"
    if kept:
        return "in work"
    return "uncoded" if cause is None else "open"


def _versions_of_findings(causes: Causes) -> str:
    return ", ".join(sorted({one.policy_version for one in causes.findings()} - {""}))


def _key(where: Mapping[str, str]) -> str:
    return json.dumps(where, sort_keys=True)
