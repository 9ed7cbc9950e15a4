from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from labeling.insights.waiting import LATE, ages
from labeling.records import Task, TaskKind, TaskState
from tests.labeling.shop import NO, NOW, Shop, yes


class Asked:
    """Tasks of other ages than those the ledger gives."""

    def __init__(self, found: list[Task]) -> None:
        self.found = found

    def where(self, *, states: tuple[TaskState, ...], kind: TaskKind) -> list[Task]:
        return [task for task in self.found if task.state in states and task.kind is kind]


def disputes(shop: Shop) -> list[Task]:
    """Four, of two policies, that wait for a lead; one that is decided."""
    shop.stocked(20)
    for task in shop.send("r1", 10):
        shop.answer(task, yes(), NO)
    shop.settle()
    found = shop.ledger.tasks.where(kind=TaskKind.ADJUDICATION)[:5]
    return [*found[:4], replace(found[4], state=TaskState.SETTLED)]


def test_what_waits_longest_comes_first_and_what_is_decided_waits_no_more(shop: Shop) -> None:
    found = disputes(shop)
    days = (1.0, 5.5, 2.0, LATE / timedelta(days=1), 90.0)
    policies = ("fraud", "fraud", "harm", "harm", "harm")
    aged = [
        replace(task, policy_id=policy, created_at=NOW - timedelta(days=day))
        for task, policy, day in zip(found, policies, days, strict=True)
    ]
    told = ages(Asked(aged), NOW)
    assert (told["waiting"], told["late"], told["oldest_days"]) == (4, 2, 5.5)
    assert told["policies"] == [
        {"policy": "fraud", "waiting": 2, "late": 1, "oldest_days": 5.5, "oldest_task": found[1].task_id},
        {"policy": "harm", "waiting": 2, "late": 1, "oldest_days": 3.0, "oldest_task": found[3].task_id},
    ]


def test_where_nothing_waits_there_is_no_age(shop: Shop) -> None:
    told = ages(shop.ledger.tasks, NOW)
    assert (told["waiting"], told["oldest_days"], told["policies"]) == (0, None, [])
