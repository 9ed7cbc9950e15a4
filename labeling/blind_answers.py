"""What people said of blind tasks, one row an answer: what every figure about people and their agreement reads.

Only blind tasks count: who saw a score, or other answers, says something else. One answer a person and task, the newest
(``labeling.consensus.one_each``); none to a task in quarantine, whose content may not be what was sent. Answers to
items of the partitions sealed and anchor are withheld, so that no figure gives them away; they are counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from labeling.consensus import author, one_each, plain
from labeling.errors import UnknownItem
from labeling.records import Answer, How, Task, TaskKind, TaskState
from labeling.store.interfaces import Annotations, Golden, Lake, Rounds, Tasks
from labeling.yields import TOLD

CHUNK = 5000


class Stores(Protocol):
    """The part of the ledger that is read."""

    @property
    def rounds(self) -> Rounds: ...

    @property
    def tasks(self) -> Tasks: ...

    @property
    def annotations(self) -> Annotations: ...

    @property
    def golden(self) -> Golden: ...


@dataclass(frozen=True, slots=True)
class BlindAnswer:
    """One person's answer. ``length``: characters of the text; ``group_id``: near-duplicates; ``at``: when it was last
    written, by Label Studio's clock."""

    task_id: str
    item_id: str
    policy_id: str
    language: str
    group_id: str
    person: str
    answer: Answer
    lead_time_s: float | None
    length: int
    at: datetime
    policy_version: str = ""


@dataclass(frozen=True, slots=True)
class BlindAnswers:
    """``answers`` sorted by task and person. ``decided``: by task, the outcome that a lead gave it. ``model``: by task,
    the probability that the scorer gave before anybody answered; only where no near-duplicate was gold, so that it
    cannot have learnt the answer. ``withheld``: answers that are not told."""

    answers: tuple[BlindAnswer, ...]
    decided: dict[str, str]
    model: dict[str, float]
    withheld: int


def blind_answers(stores: Stores, lake: Lake) -> BlindAnswers:
    """Everything that was answered blind."""
    tasks = [task for task in stores.tasks.where(kind=TaskKind.BLIND) if task.state is not TaskState.QUARANTINED]
    golden = {(row.item_id, row.policy_id): row for row in stores.golden.items()}
    picks = {(p.round_id, p.item_id, p.policy_id): p for p in stores.rounds.picks()}
    languages = _languages(lake, sorted({task.item_id for task in tasks}))
    members: dict[str, set[str]] = {}
    for row in golden.values():
        members.setdefault(row.group_id, set()).add(row.item_id)
    told: list[BlindAnswer] = []
    model: dict[str, float] = {}
    withheld = 0
    for task, answers in _answered(stores.annotations, tasks):
        gold, pick = (
            golden.get((task.item_id, task.policy_id)),
            picks.get((task.round_id, task.item_id, task.policy_id)),
        )
        if gold is not None and gold.partition not in TOLD:
            withheld += len(answers)
            continue
        group = gold.group_id if gold is not None else pick.group_id if pick is not None else task.item_id
        language = languages.get(task.item_id) or (gold.language if gold is not None else "und")
        told += [_row(task, language, group, answer) for answer in answers]
        if pick is not None and not members.get(group, set()) - {task.item_id}:
            model[task.task_id] = pick.probability
    decided = {a.task_id: str(a.answer.outcome) for a in stores.golden.adjudications() if a.how is How.ADJUDICATED}
    shown = {row.task_id for row in told}
    ordered = tuple(sorted(told, key=lambda row: (row.task_id, row.person)))
    return BlindAnswers(ordered, {t: o for t, o in decided.items() if t in shown}, model, withheld)


Answered = list[tuple[Task, list[tuple[str, Answer, float | None, datetime]]]]


def _answered(annotations: Annotations, tasks: Sequence[Task]) -> Answered:
    found: Answered = []
    for start in range(0, len(tasks), CHUNK):
        chunk = tasks[start : start + CHUNK]
        current = annotations.current([task.task_id for task in chunk])
        for task in chunk:
            each = one_each(current[task.task_id])
            if each:
                told = [(author(a), plain(a.answer), a.lead_time_s, a.studio_updated_at) for a in each]
                found.append((task, told))
    return found


def _row(task: Task, language: str, group: str, told: tuple[str, Answer, float | None, datetime]) -> BlindAnswer:
    person, answer, lead_time_s, at = told
    return BlindAnswer(
        task.task_id,
        task.item_id,
        task.policy_id,
        language,
        group,
        person,
        answer,
        lead_time_s,
        len(task.text),
        at,
        task.policy_version,
    )


def _languages(lake: Lake, item_ids: Sequence[str]) -> dict[str, str]:
    """The language of each item that the lake still holds."""
    found: dict[str, str] = {}
    for start in range(0, len(item_ids), CHUNK):
        wanted = list(item_ids[start : start + CHUNK])
        try:
            table = lake.take(wanted, ["language"])
        except UnknownItem:  # some were erased since
            there = set(lake.ids())
            wanted = [item_id for item_id in wanted if item_id in there]
            if not wanted:
                continue
            table = lake.take(wanted, ["language"])
        found |= dict(zip(wanted, table["language"].to_pylist(), strict=True))
    return found
