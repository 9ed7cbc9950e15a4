"""How long questions wait for a lead, whose answer alone settles them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

from labeling.records import Task, TaskKind, TaskState
from labeling.settle import WAITING

LATE = timedelta(days=3)  # from then on a question has waited for too long
OPEN = (TaskState.QUEUED, TaskState.SENDING, *WAITING)
Json = dict[str, object]


class OpenTasks(Protocol):
    """The part of the ledger that knows what is asked."""

    def where(self, *, states: tuple[TaskState, ...], kind: TaskKind) -> list[Task]: ...


def ages(tasks: OpenTasks, now: datetime) -> Json:
    """Questions that no lead has decided, by policy, the one that waits longest first; days as fractions. JSON-able."""
    found = tasks.where(states=OPEN, kind=TaskKind.ADJUDICATION)
    by_policy: dict[str, list[timedelta]] = {}
    for task in found:
        by_policy.setdefault(task.policy_id, []).append(now - task.created_at)
    rows = [
        {
            "policy": policy_id,
            "waiting": len(waits),
            "late": sum(wait >= LATE for wait in waits),
            "oldest_days": round(max(waits) / timedelta(days=1), 2),
        }
        for policy_id, waits in by_policy.items()
    ]
    rows.sort(key=lambda row: (-float(str(row["oldest_days"])), str(row["policy"])))
    return {
        "waiting": len(found),
        "late": sum(int(str(row["late"])) for row in rows),
        "late_after_days": LATE / timedelta(days=1),
        "oldest_days": rows[0]["oldest_days"] if rows else None,
        "policies": rows,
    }
