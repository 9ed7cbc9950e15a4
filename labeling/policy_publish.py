"""Publish a version of a policy: what it would touch, and what it does.

A merge also retires the policies that were merged into another one. Nothing else moves a policy that is not named.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from labeling.errors import InvalidInput, NotFound
from labeling.golden.stale import touched
from labeling.policies import Policy
from labeling.policy_versions import ChangeKind, History, PolicyVersion, by_policy, may_touch, parts, version_of
from labeling.purposes import RELABELS, purpose
from labeling.records import GoldenItem, GoldState, Partition, TaskState
from labeling.store.interfaces import Golden, PolicyVersions, Rounds, Tasks

ENDS = (TaskState.SETTLED, TaskState.WITHDRAWN)
RETIRED = "its policy was retired"
OVERTAKEN = "its policy changed again before it was answered"
NO_RULE = "-"


class Stores(Protocol):
    """The part of the ledger that publishing needs."""

    @property
    def policies(self) -> PolicyVersions: ...

    @property
    def golden(self) -> Golden: ...

    @property
    def tasks(self) -> Tasks: ...

    @property
    def rounds(self) -> Rounds: ...


@dataclass(frozen=True, slots=True)
class Change:
    """What is asked for. ``predecessors``: policies that a split or a merge comes from."""

    kinds: tuple[ChangeKind, ...]
    reason: str
    actor: str
    rules: tuple[str, ...] = ()
    predecessors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Touched:
    """Golden items of one kind that a change moves to ``state``. ``rule``: that of their label, ``-`` without one, and
    withheld (as ``-``) for sealed ones."""

    policy_id: str
    rule: str
    language: str
    partition: str
    state: str
    items: int


@dataclass(frozen=True, slots=True)
class Planned:
    """The ``versions`` that are to be published, the one asked for first, and the gold that they touch.

    Sealed items are not among ``touched`` where their labels decide whether they are: a plan costs nothing, so whoever
    may ask for one under any kind and rule could read sealed labels off its counts. ``sealed_at_most`` of them are
    touched, whatever their labels are. Retiring a policy moves all of its gold, so there they are counted."""

    versions: tuple[PolicyVersion, ...]
    touched: tuple[Touched, ...]
    sealed_at_most: int = 0

    def items(self, state: GoldState) -> int:
        """How many golden items go to a state, those aside that ``sealed_at_most`` bounds."""
        return sum(row.items for row in self.touched if row.state == state)


def plan_change(stores: Stores, policy: Policy, change: Change, now: datetime) -> Planned:
    """What publishing ``policy`` would do; nothing is written. Raises InvalidInput, and NotFound for a predecessor that
    is not published."""
    histories = by_policy(stores.policies.all())
    for name in change.predecessors:
        if name not in histories:
            raise NotFound(f"from: {name!r} is no policy that is published (known: {', '.join(histories)})")
    main = version_of(
        policy,
        change.kinds,
        histories.get(policy.id, ()),
        reason=change.reason,
        actor=change.actor,
        at=now,
        rules=change.rules,
        predecessors=change.predecessors,
    )
    versions = [main]
    if ChangeKind.MERGE in main.kinds:
        versions += [_retirement(histories[name], main, now) for name in main.predecessors]
    return _planned(stores.golden, histories, versions)


def _planned(golden: Golden, histories: Mapping[str, History], versions: Sequence[PolicyVersion]) -> Planned:
    counts: Counter[tuple[str, str, str, str, str]] = Counter()
    at_most = 0
    for version in versions:
        items = golden.items(policy_id=version.policy_id)
        told = [i for i in items if i.partition is not Partition.SEALED or version.is_retired]
        for item, to in touched([*histories.get(version.policy_id, ()), version], told):
            counts[version.policy_id, _rule(item), item.language, item.partition.value, to.value] += 1
        if may_touch(version):
            at_most += sum(i.partition is Partition.SEALED and i.state is GoldState.ACTIVE for i in items)
    return Planned(tuple(versions), tuple(Touched(*key, n) for key, n in sorted(counts.items())), at_most)


def publish_change(stores: Stores, planned: Planned) -> dict[str, int]:
    """Publish what was planned: how many golden items became ``stale`` and ``retired``, and how many open tasks of
    policies retired, or of relabel rounds under an older version, were ``withdrawn``. Raises Conflict when somebody
    published meanwhile."""
    moved = stores.policies.publish(planned.versions)
    return {**moved, "withdrawn": withdraw_pointless(stores)}


def withdraw_pointless(stores: Stores) -> int:
    """End the open tasks that nobody need look at any more: those of policies that are retired, and labels asked again
    under a version that is not in force now. How many there were."""
    newest = {policy_id: history[-1] for policy_id, history in by_policy(stores.policies.all()).items()}
    again = {round_.round_id for round_ in stores.rounds.all() if purpose(round_) == RELABELS}
    reasons: dict[str, list[str]] = {RETIRED: [], OVERTAKEN: []}
    if not again and not any(version.is_retired for version in newest.values()):
        return 0
    for task in stores.tasks.where(states=[state for state in TaskState if state not in ENDS]):
        now = newest.get(task.policy_id)
        if now is not None and now.is_retired:
            reasons[RETIRED].append(task.task_id)
        elif now is not None and task.round_id in again and task.policy_version != now.version:
            reasons[OVERTAKEN].append(task.task_id)
    for reason, task_ids in reasons.items():
        stores.tasks.set_state(task_ids, TaskState.WITHDRAWN, reason)
    return sum(map(len, reasons.values()))


def retired(history: History, file: Policy | None) -> Policy:
    """The text of a policy's retirement: the newest one, under the version of ``file`` where that is higher, else under
    the next major one."""
    newest = history[-1]
    if newest.is_retired:
        raise InvalidInput(f"{newest.policy_id} is retired already, by version {newest.version}")
    if file is not None and parts(file.version)[0] > parts(newest.version)[0]:
        return file
    return newest.policy.model_copy(update={"version": f"{parts(newest.version)[0] + 1}.0.0"})


def _retirement(history: History, main: PolicyVersion, now: datetime) -> PolicyVersion:
    reason = f"merged into {main.policy_id} {main.version}: {main.reason}"
    return version_of(retired(history, None), [ChangeKind.RETIRE], history, reason=reason, actor=main.actor, at=now)


def _rule(item: GoldenItem) -> str:
    return NO_RULE if item.partition is Partition.SEALED or item.rule is None else item.rule


def history_of(stores: Stores, policy_id: str) -> History:
    """A policy's versions, oldest first. Raises NotFound."""
    histories = by_policy(stores.policies.all())
    if policy_id not in histories:
        raise NotFound(f"policy {policy_id!r} is not published (known: {', '.join(histories)})")
    return histories[policy_id]


def named(kinds: Collection[str]) -> tuple[ChangeKind, ...]:
    """Kinds of change by name. Raises InvalidInput."""
    known: Sequence[str] = [kind.value for kind in ChangeKind]
    if odd := sorted(set(kinds) - set(known)):
        raise InvalidInput(f"kind: {', '.join(odd)} is not one of {', '.join(known)}")
    return tuple(kind for kind in ChangeKind if kind.value in kinds)
