"""How long questions wait for a lead, whose answer alone settles them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Protocol

from labeling.records import Task, TaskKind, TaskState
from labeling.settle import WAITING

LATE = timedelta(days=3)  # from then on a question has waited for too long
OPEN = (TaskState.QUEUED, TaskState.SENDING, *WAITING)
Json = dict[str, Any]


class OpenTasks(Protocol):
    """The part of the ledger that knows what is asked."""

    def where(self, *, states: tuple[TaskState, ...], kind: TaskKind) -> list[Task]: ...


def ages(tasks: OpenTasks, now: datetime) -> Json:
    """Questions that no lead has decided, by policy, the one that waits longest first; days as fractions;
    ``oldest_task``: the one of a policy that was asked first. JSON-able."""
    found = tasks.where(states=OPEN, kind=TaskKind.ADJUDICATION)
    by_policy: dict[str, list[Task]] = {}
    for task in sorted(found, key=lambda task: (task.created_at, task.task_id)):
        by_policy.setdefault(task.policy_id, []).append(task)
    rows: list[Json] = [
        {
            "policy": policy_id,
            "waiting": len(mine),
            "late": sum(now - task.created_at >= LATE for task in mine),
            "oldest_days": round((now - mine[0].created_at) / timedelta(days=1), 2),
            "oldest_task": mine[0].task_id,
        }
        for policy_id, mine in by_policy.items()
    ]
    rows.sort(key=lambda row: (-row["oldest_days"], row["policy"]))
    return {
        "waiting": len(found),
        "late": sum(row["late"] for row in rows),
        "late_after_days": LATE / timedelta(days=1),
        "oldest_days": rows[0]["oldest_days"] if rows else None,
        "policies": rows,
    }
