"""Hand out what lies open: copies of the open questions, and now and then an injection, to the people of the roster.

A blind task is then the question: it is not sent itself, its copies are, each to its person's desk. One transaction of
the ledger sees the floor and writes the hand-out, so whoever is killed, and whenever, nobody is asked twice.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from labeling.assign import Anchor, AssignRules, Placement, Question, plan_assignment
from labeling.errors import UnknownItem
from labeling.floor import GOLD_GROUP, Desk, Floor, Handout, OpenQuestion
from labeling.policies import Policies
from labeling.records import GoldenItem, Outcome, Task, TaskKind, TaskState
from labeling.round_costs import Costs
from labeling.store.interfaces import Desks, Lake, People

ALLOWED_CHANCE = 0.1  # what is known to be allowed was picked by a scorer that doubted it: it is not harmless for sure


class Stores(Protocol):
    """The part of the ledger that handing out needs."""

    @property
    def people(self) -> People: ...

    @property
    def desks(self) -> Desks: ...


@dataclass(frozen=True, slots=True)
class HandoutReport:
    """``copies`` and ``injections`` made, ``released`` taken back, and ``unplaced`` copies by reason."""

    copies: int
    injections: int
    released: int
    unplaced: dict[str, int]


def has_roster(people: People) -> bool:
    """Whether there is anybody to hand out to: else questions go to a project that everybody shares."""
    return any(person.active for person in people.all())


def day_start(now: datetime, zone: str) -> datetime:
    """When the day of ``now`` began in a time zone, in UTC."""
    local = now.astimezone(ZoneInfo(zone))
    return local.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)


def hand_out(
    stores: Stores,
    lake: Lake,
    policies: Policies,
    rules: AssignRules,
    costs: Costs,
    now: datetime,
    zone: str = "UTC",
    seed: int = 0,
    resting: Collection[tuple[str, str]] = (),
    earlier: Collection[tuple[str, str]] = (),
) -> HandoutReport:
    """Give every open question the people it lacks, as far as the rules of ``labeling.assign`` allow. ``resting``:
    (person, policy) pairs that get no injections now. ``earlier``: (policy, version) pairs that are asked to their end
    though ``policies`` holds a newer version."""

    def plan(floor: Floor) -> Handout:
        desks = tuple(replace(desk, resting=_rests(desk, resting)) for desk in floor.desks)
        return _Plan(replace(floor, desks=desks), lake, policies, costs, earlier).made(rules, seed, now)

    done = stores.desks.assign(plan, day_start(now, zone), anchors=rules.injection_rate > 0)
    injections = sum(task.kind is TaskKind.INJECTION for task in done.tasks)
    return HandoutReport(len(done.tasks) - injections, injections, done.released, dict(done.unplaced))


def _rests(desk: Desk, resting: Collection[tuple[str, str]]) -> frozenset[str]:
    return frozenset(policy_id for email, policy_id in resting if email == desk.person.email)


class _Plan:
    """From the floor to the tasks that are to be written."""

    def __init__(
        self, floor: Floor, lake: Lake, policies: Policies, costs: Costs, earlier: Collection[tuple[str, str]]
    ) -> None:
        current = {policy_id: policy.version for policy_id, policy in policies.items()}
        asked = {*current.items(), *(pair for pair in earlier if pair[0] in current)}
        self._open = [q for q in floor.questions if (q.task.policy_id, q.task.policy_version) in asked]
        self._gold = [g for g in floor.anchors if current.get(g.policy_id) == g.policy_version]
        self._said = _languages(lake, sorted({q.task.item_id for q in self._open}))
        self._weights = {policy_id: float(2**policy.severity) for policy_id, policy in policies.items()}
        self._floor = floor
        self._costs = costs

    def made(self, rules: AssignRules, seed: int, now: datetime) -> Handout:
        questions = [self._question(q) for q in self._open if q.task.item_id in self._said]
        plan = plan_assignment(questions, self._floor.desks, rules, seed, [self._anchor(g) for g in self._gold])
        roots = {q.task.task_id: q.task for q in self._open}
        gold = {(g.item_id, g.policy_id): g for g in self._gold}
        tasks = [
            _copy(roots[p.task_id], p, now)
            if p.task_id
            else _injection(gold[p.item_id, p.policy_id], p, _round_of(p, gold, plan.placements, roots), now)
            for p in plan.placements
        ]
        unplaced = dict(plan.unplaced)
        if lost := sum(q.wanted for q in self._open if q.task.item_id not in self._said):
            unplaced["their item is not in the lake any more"] = lost
        return Handout(tuple(tasks), {q.task_id: q.units for q in questions}, unplaced)

    def _question(self, found: OpenQuestion) -> Question:
        task = found.task
        language, modality = self._said[task.item_id]
        units = self._weights[task.policy_id] * found.probability * self._costs.look(task.text, modality)
        names = frozenset({task.item_id, found.group} - {""})
        return Question(
            task_id=task.task_id,
            policy_id=task.policy_id,
            policy_version=task.policy_version,
            language=language,
            units=units,
            chars=len(task.text),
            wanted=found.wanted,
            answered=task.extra > 0,
            names=names,
            modality=task.modality,
        )

    def _anchor(self, gold: GoldenItem) -> Anchor:
        chance = 1.0 if gold.outcome is Outcome.VIOLATES else ALLOWED_CHANCE
        weight = self._weights[gold.policy_id] if gold.severity is None else float(2**gold.severity)
        return Anchor(
            item_id=gold.item_id,
            policy_id=gold.policy_id,
            policy_version=gold.policy_version,
            language=gold.language,
            units=weight * chance * self._costs.look(gold.text, gold.modality),
            chars=len(gold.text),
            names=frozenset({gold.item_id, GOLD_GROUP + gold.group_id}),
            modality=gold.modality,
        )


def _languages(lake: Lake, item_ids: Sequence[str]) -> Mapping[str, tuple[str, str]]:
    """Language and modality by item; an item that was erased is left out."""
    columns = ["language", "modality"]
    try:
        rows = lake.take(item_ids, columns).to_pylist() if item_ids else []
    except UnknownItem:
        if len(item_ids) == 1:
            return {}
        half = len(item_ids) // 2
        return {**_languages(lake, item_ids[:half]), **_languages(lake, item_ids[half:])}
    return {str(row["item_id"]): (str(row["language"]), str(row["modality"])) for row in rows}


def _copy(root: Task, place: Placement, now: datetime) -> Task:
    return replace(_blank(root, place, now), kind=TaskKind.COPY, parent_task_id=root.task_id)


def _injection(gold: GoldenItem, place: Placement, like: Task, now: datetime) -> Task:
    """As a copy of ``like`` would look, about another item."""
    return replace(
        _blank(like, place, now),
        kind=TaskKind.INJECTION,
        item_id=gold.item_id,
        text=gold.text,
        content_hash=gold.content_hash,
        modality=gold.modality,
        parent_task_id=None,
    )


def _blank(root: Task, place: Placement, now: datetime) -> Task:
    return replace(
        root,
        task_id=uuid.uuid4().hex,  # says nothing about the item, the question or the order
        overlap=1,
        extra=0,
        state=TaskState.QUEUED,
        project_id=None,
        studio_task_id=None,
        error="",
        created_at=now,
        updated_at=now,
        assignee=place.email,
        position=place.position,
        exposure=place.units,
    )


def _round_of(
    injected: Placement,
    gold: Mapping[tuple[str, str], GoldenItem],
    placements: Sequence[Placement],
    roots: Mapping[str, Task],
) -> Task:
    """The question beside which an injection lies, in the same project: they go to Label Studio together."""
    modality = gold[injected.item_id, injected.policy_id].modality
    desk = [p for p in placements if p.email == injected.email and p.policy_id == injected.policy_id and p.task_id]
    mine = [p for p in desk if roots[p.task_id].modality == modality]
    nearest = min(mine, key=lambda p: (abs(p.position - injected.position), p.position))
    return roots[nearest.task_id]
