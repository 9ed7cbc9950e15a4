"""The same task twice in a project: a lost answer, or two writers. One stays; work on the others is never deleted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from labeling.errors import StudioGone
from labeling.records import Task, TaskState
from labeling.studio.client import StudioClient
from labeling.studio.wire import StudioTask


class Tasks(Protocol):
    """The part of the ledger's tasks that keeps Label Studio's numbers."""

    def find(self, task_ids: Sequence[str]) -> dict[str, Task]: ...
    def mark_sending(self, task_ids: Sequence[str], project_id: int) -> None: ...
    def mark_sent(self, studio_ids: Mapping[str, int]) -> None: ...
    def requeue(self, task_ids: Sequence[str]) -> None: ...


AWAITED = frozenset({TaskState.QUEUED, TaskState.SENDING, TaskState.SENT})


def record_numbers(store: Tasks, project_id: int, kept: Mapping[str, StudioTask]) -> None:
    """Write down where each task lies. One that was sent under another number is sent anew in the ledger; killed in
    between, it is queued or sending, and the next push finds it there."""
    now = store.find(list(kept))
    moved = [
        task
        for task_id, task in now.items()
        if task.state in AWAITED and task.studio_task_id != kept[task_id].studio_task_id
    ]
    renumbered = [task.task_id for task in moved if task.state is TaskState.SENT]
    if renumbered:
        store.requeue(renumbered)
    if moved:
        store.mark_sending([task.task_id for task in moved], project_id)
        store.mark_sent({task.task_id: kept[task.task_id].studio_task_id for task in moved})


def by_task_id(tasks: Iterable[StudioTask]) -> dict[str, list[StudioTask]]:
    """Grouped by Goldfold's id, the lowest Label Studio id first; tasks without one are left out."""
    groups: dict[str, list[StudioTask]] = {}
    for task in sorted(tasks, key=lambda task: task.studio_task_id):
        if task.task_id:
            groups.setdefault(task.task_id, []).append(task)
    return groups


def settle_twins(
    client: StudioClient, project_id: int, groups: Mapping[str, Sequence[StudioTask]]
) -> tuple[dict[str, StudioTask], int]:
    """The task to keep per id, and how many others were deleted.

    Kept is the one with annotations, else the lowest id. Another one goes only if nobody has worked on it.
    """
    kept = {task_id: group[0] for task_id, group in groups.items()}
    twice = [task_id for task_id, group in groups.items() if len(group) > 1]
    removed = 0
    if twice:
        full = by_task_id(client.find_tasks(project_id, twice, full=True))
        for task_id, group in full.items():
            keep = next((task for task in group if task.annotations), group[0])
            kept[task_id] = keep
            removed += sum(_remove(client, task) for task in group if task is not keep)
    return kept, removed


def _remove(client: StudioClient, task: StudioTask) -> bool:
    if task.annotations or task.drafts:
        return False
    try:
        client.delete_task(task.studio_task_id)
    except StudioGone:
        return False
    return True
