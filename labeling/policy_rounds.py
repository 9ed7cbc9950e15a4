"""How rounds are written that follow a change of policy (``labeling.purposes``): whole and open, so that the next sync
sends their tasks. They compete with no lane of other rounds, and no yield counts them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol

from labeling.errors import Conflict
from labeling.policies import Policy
from labeling.records import Outcome, PickRow, Round, RoundState, Task, TaskKind, TaskState
from labeling.rounds import blind_tasks
from labeling.store.interfaces import Golden, ItemRegistry, Lake, PolicyVersions, Rounds, Tasks

DECIDED = (Outcome.VIOLATES, Outcome.ALLOWED)
GOES_ON = (TaskState.QUEUED, TaskState.SENDING, TaskState.SENT, TaskState.ANSWERED, TaskState.QUARANTINED)


class Stores(Protocol):
    """The part of the ledger that such a round is written to."""

    @property
    def items(self) -> ItemRegistry: ...

    @property
    def rounds(self) -> Rounds: ...

    @property
    def tasks(self) -> Tasks: ...


class GoldStores(Stores, Protocol):
    """The part of the ledger that a relabel round or a bridge needs."""

    @property
    def golden(self) -> Golden: ...

    @property
    def policies(self) -> PolicyVersions: ...


def waiting(tasks: Tasks, policy_id: str, version: str) -> set[str]:
    """Items that somebody is being asked about under a policy version."""
    found = tasks.where(states=GOES_ON, kind=TaskKind.BLIND)
    return {task.item_id for task in found if (task.policy_id, task.policy_version) == (policy_id, version)}


def plan_for(asked: str, policy: Policy, lane: str, budget: int, overlap: int, **more: object) -> dict[str, object]:
    """A plan of the keys that every round has, for one policy and one lane."""
    return {
        "purpose": asked,
        "budget": budget,
        "lanes": {lane: 1.0},
        "strategy": asked,
        "overlap": overlap,
        "quotas": [],
        "policies": {policy.id: policy.version},
        "thresholds": {policy.id: policy.threshold},
        "severities": {policy.id: float(2**policy.severity)},
        **more,
    }


def free_id(rounds: Rounds, stem: str) -> str:
    """``stem``, or the first of ``stem-2``, ``stem-3``, ... that no round has."""
    taken = {round_.round_id for round_ in rounds.all()}
    number = 1
    while (name := stem if number == 1 else f"{stem}-{number}") in taken:
        number += 1
    return name


def write_round(
    stores: Stores,
    lake: Lake,
    round_id: str,
    seed: int,
    plan: Mapping[str, object],
    picks: Sequence[PickRow],
    frame: Mapping[str, object],
    notes: Sequence[str],
    scorer_version: str = "",
    images: Mapping[str, str] | None = None,
) -> Round:
    """The round with a blind task for each pick, open. What a killed process left is gone on with. ``images``: of those
    among the picks, the hash of what was judged before, since the same bytes are to be judged again. Raises Conflict
    when another round has that id."""
    now = datetime.now(UTC)
    versions = plan["policies"]
    if not isinstance(versions, Mapping):
        raise TypeError("a plan names its policies with their versions")
    frame = {"lake_version": stores.items.last_lake_version(), **frame}
    made = Round(round_id, RoundState.PLANNED, seed, dict(plan), frame, scorer_version, (), now, now)
    there = stores.rounds.create(made)
    if there.state is RoundState.CANCELLED:
        raise Conflict(f"round {round_id!r} is cancelled: cancel what belongs to it too, and open it under another id")
    if there.state is RoundState.PLANNED:
        overlap = int(str(plan["overlap"]))
        tasks: list[Task] = blind_tasks(lake, versions, picks, lambda _: overlap, images or {})
        stores.rounds.record_selection(round_id, picks, tasks, frame, scorer_version, notes)
    return open_up(stores.rounds, round_id)


def open_up(rounds: Rounds, round_id: str) -> Round:
    """Its tasks may be sent."""
    if rounds.get(round_id).state is RoundState.SELECTED:
        rounds.set_state(round_id, RoundState.OPEN)
    return rounds.get(round_id)
