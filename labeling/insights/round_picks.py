"""Why items were picked, told when it can sway nobody any more.

A card of a pick whose question is open, to whomever and in whichever round, says neither what the model thought nor why
the item was chosen: who has seen that does not answer freely (``labeling.anchoring`` measures by how much).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from labeling.records import PickRow, Task, TaskState
from labeling.store.interfaces import ItemRegistry, Rounds, Tasks

OPEN = frozenset(TaskState) - {TaskState.SETTLED, TaskState.WITHDRAWN}


class Stores(Protocol):
    """The part of the ledger that cards are read from."""

    @property
    def items(self) -> ItemRegistry: ...

    @property
    def rounds(self) -> Rounds: ...

    @property
    def tasks(self) -> Tasks: ...


@dataclass(frozen=True, slots=True)
class Card:
    """A pick. ``settled``: it has an answer that stands, and no question about it is open. Else ``lane``, ``pi``,
    ``probability`` and ``reasons`` are None and nothing. ``external_id`` "": the item is gone."""

    external_id: str
    policy_id: str
    settled: bool
    lane: str | None
    pi: float | None
    probability: float | None
    reasons: tuple[str, ...]


def cards(stores: Stores, round_id: str, *, limit: int, offset: int = 0) -> list[Card]:
    """``limit`` picks of a round from the ``offset``th on, in an order that tells nothing of their lanes."""
    picks = stores.rounds.pick_page(round_id, limit=limit, offset=offset)
    tasks: dict[tuple[str, str], list[Task]] = defaultdict(list)
    for item_id in sorted({pick.item_id for pick in picks}):
        for task in stores.tasks.of_item(item_id):
            tasks[item_id, task.policy_id].append(task)
    known = stores.items.by_id([pick.item_id for pick in picks])
    names = {item_id: item.external_id for item_id, item in known.items()}
    return [_card(pick, names.get(pick.item_id, ""), tasks[pick.item_id, pick.policy_id]) for pick in picks]


def _card(pick: PickRow, external_id: str, tasks: Sequence[Task]) -> Card:
    answered = any(task.round_id == pick.round_id and task.state is TaskState.SETTLED for task in tasks)
    if not answered or any(task.state in OPEN for task in tasks):
        return Card(external_id, pick.policy_id, False, None, None, None, ())
    return Card(external_id, pick.policy_id, True, pick.lane, pick.pi, pick.probability, pick.reasons)
