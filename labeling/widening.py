"""Adaptive overlap: whether one more person may be asked, and that they are.

The rule of when to ask is ``labeling.consensus``'s. Two bounds stand against it: a budget (``share`` of a round's
questions may get one more answer, rounded down but 1 at least), and people. With a roster somebody must be left who may
be asked; without one Goldfold cannot know who is there.
"""

from __future__ import annotations

from typing import Protocol

from labeling.assign import able
from labeling.consensus import Widening, author
from labeling.errors import UnknownItem
from labeling.records import Task, TaskKind
from labeling.store.interfaces import Annotations, Lake, People, Tasks


class Stores(Protocol):
    """The part of the ledger that this needs."""

    @property
    def people(self) -> People: ...

    @property
    def tasks(self) -> Tasks: ...

    @property
    def annotations(self) -> Annotations: ...


class RoundBudget:
    """``MorePeople`` of settling, for one run. ``share`` in [0, 1]."""

    def __init__(self, stores: Stores, lake: Lake, rules: Widening, share: float) -> None:
        self.rules = rules
        self._stores = stores
        self._lake = lake
        self._share = share
        self._left: dict[str, int] = {}
        self._roster = [person for person in stores.people.all() if person.active]

    def ask(self, task: Task) -> bool:
        """Raise the task's overlap by one, if there is a budget and a person left."""
        if self._budget(task.round_id) < 1 or not self._has_somebody(task):
            return False
        self._stores.tasks.widen([task.task_id])
        self._left[task.round_id] -= 1
        return True

    def _budget(self, round_id: str) -> int:
        if round_id not in self._left:
            questions = self._stores.tasks.where(round_id=round_id, kind=TaskKind.BLIND)
            most = max(1, int(self._share * len(questions))) if self._share else 0
            self._left[round_id] = most - sum(task.extra for task in questions)
        return self._left[round_id]

    def _has_somebody(self, task: Task) -> bool:
        if not self._roster:
            return True
        events = self._stores.annotations.events(task.task_id)
        copies = self._stores.tasks.children([task.task_id], TaskKind.COPY)
        known = {author(event) for event in events} | {copy.assignee for copy in copies}
        return any(
            person.email not in known and able(person, task.policy_id, self._language(task)) for person in self._roster
        )

    def _language(self, task: Task) -> str:
        try:
            return str(self._lake.take([task.item_id], ["language"])["language"][0].as_py())
        except UnknownItem:
            return ""  # settling says what is wrong with it
