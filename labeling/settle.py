"""From answers to gold: decide every task that has its answers, fold what is decided, ask a lead where it is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from labeling.adjudication import Refusal, adjudication_task, agreement, settle
from labeling.consensus import Agreed, Disputed, decide
from labeling.golden.fold import fold
from labeling.golden.partition import Groups
from labeling.records import Adjudication, Annotation, GoldState, PickRow, Task, TaskKind, TaskState
from labeling.store.interfaces import Annotations, Golden, ItemRegistry, Lake, Rounds, Tasks

CHUNK = 500
Groupings = Callable[[], Groups]  # the golden set's near-duplicate groups, read when the first item is folded


class Stores(Protocol):
    """The part of the ledger that settling needs."""

    @property
    def items(self) -> ItemRegistry: ...

    @property
    def rounds(self) -> Rounds: ...

    @property
    def tasks(self) -> Tasks: ...

    @property
    def annotations(self) -> Annotations: ...

    @property
    def golden(self) -> Golden: ...


@dataclass(slots=True)
class SettleReport:
    """What one run did: tasks ``settled`` (of which ``golden`` became gold), ``disputed`` ones newly sent to a lead,
    tasks still ``waiting`` for people, and answers that do not count."""

    settled: int = 0
    golden: int = 0
    disputed: int = 0
    waiting: int = 0
    refusals: list[Refusal] = field(default_factory=list)


def settle_all(stores: Stores, lake: Lake, groups: Groupings) -> SettleReport:
    """Go through every task that was sent and is not settled. Safe to run again at any point."""
    run = _Settling(stores, lake, groups)
    for kind, step in ((TaskKind.BLIND, run.blind), (TaskKind.ADJUDICATION, run.adjudication)):
        open_tasks = stores.tasks.where(states=(TaskState.SENT,), kind=kind)
        for start in range(0, len(open_tasks), CHUNK):
            chunk = open_tasks[start : start + CHUNK]
            answers = stores.annotations.current([task.task_id for task in chunk])
            for task in chunk:
                step(task, answers.get(task.task_id, []))
    return run.report


class _Settling:
    """One run: the report it fills, and what it has read once."""

    def __init__(self, stores: Stores, lake: Lake, groups: Groupings) -> None:
        self._stores = stores
        self._lake = lake
        self._groups = groups
        self._picks: dict[str, dict[tuple[str, str], PickRow]] = {}
        self.report = SettleReport()

    def blind(self, task: Task, answers: list[Annotation]) -> None:
        """Fold what the annotators agree on; ask a lead where they do not."""
        decision = decide(task, answers)
        if isinstance(decision, Agreed):
            self._fold(task, agreement(task, decision, _now()))
        elif isinstance(decision, Disputed):
            new = adjudication_task(task, decision, _now())
            if not self._stores.tasks.find([new.task_id]):
                self._stores.tasks.add([new])
                self.report.disputed += 1
        else:
            self.report.waiting += 1

    def adjudication(self, task: Task, answers: list[Annotation]) -> None:
        """Fold what a lead decided, if that lead may."""
        if task.parent_task_id is None:
            raise ValueError(f"adjudication task {task.task_id} names no blind task")
        blind = self._stores.tasks.get(task.parent_task_id)
        if blind.state is TaskState.SETTLED:
            return  # its annotators came to agree; folding that settled this task too
        blind_answers = self._stores.annotations.current([blind.task_id]).get(blind.task_id, [])
        events = self._stores.annotations.events(blind.task_id)
        settlement = settle(blind, answers, blind_answers, events, _now())
        self.report.refusals.extend(settlement.refusals)
        if settlement.adjudication is None:
            self.report.waiting += 1
        else:
            self._fold(blind, settlement.adjudication)

    def _fold(self, task: Task, adjudication: Adjudication) -> None:
        pick = self._round_picks(task.round_id).get((task.item_id, task.policy_id))
        written = fold(self._stores.golden, self._lake, self._groups(), adjudication, task, pick, _now())
        self.report.settled += 1
        if written is not None and written.state is GoldState.ACTIVE:
            self.report.golden += 1

    def _round_picks(self, round_id: str) -> dict[tuple[str, str], PickRow]:
        if round_id not in self._picks:
            rows = self._stores.rounds.picks(round_id)
            self._picks[round_id] = {(row.item_id, row.policy_id): row for row in rows}
        return self._picks[round_id]


def _now() -> datetime:
    return datetime.now(UTC)
