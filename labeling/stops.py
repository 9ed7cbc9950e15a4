"""After a legal stop: the lake lets the content go, and Label Studio the tasks.

The ledger stopped the item when it learnt of the flag (labeling.store.stops). What is left is done here, each part
as often as need be: the lake first, then ``purged_at``; Label Studio until nothing can bring the task back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Protocol

from labeling import near_duplicates, neighbour_index, suspects
from labeling.errors import StudioGone
from labeling.insights import embedding_map
from labeling.records import Removal, Task, TaskState
from labeling.store.interfaces import Lake, Stops
from labeling.studio.wire import StudioTask

ENDS = (TaskState.WITHDRAWN, TaskState.SETTLED)
DERIVED = (near_duplicates.FILE, neighbour_index.FILES, suspects.FILE, embedding_map.FILES)


class Studio(Protocol):
    """The part of Label Studio's client that deletes."""

    @property
    def settle_s(self) -> float: ...
    def find_tasks(self, project_id: int, task_ids: Sequence[str], *, full: bool = False) -> list[StudioTask]: ...
    def delete_task(self, studio_task_id: int) -> None: ...


class Tasks(Protocol):
    """The part of the ledger's tasks that says whether one may come back."""

    def find(self, task_ids: Sequence[str]) -> Mapping[str, Task]: ...


def purge(stops: Stops, lake: Lake, cache_dir: Path) -> int:
    """Remove the stopped items that the lake still holds, from every column group; how many. Lance keeps the bytes of
    removed rows until it is compacted, which is done here, and until the versions before that have expired. Caches in
    ``cache_dir`` that are made of the content or its embedding go too; they are built anew when they are needed."""
    item_ids = stops.unpurged()
    if item_ids:
        lake.delete(item_ids)
        lake.compact()
        drop_caches(cache_dir)
        stops.mark_purged(item_ids)
    return len(item_ids)


def drop_caches(cache_dir: Path) -> None:
    """Delete what is made of content, or of its embeddings."""
    for name in DERIVED:
        for path in cache_dir.glob(name):
            path.unlink(missing_ok=True)


def clear_studio(client: Studio, stops: Stops, tasks: Tasks) -> int:
    """Delete in Label Studio what must not stay there; how many tasks were found.

    A task that was on its way when its item was stopped may show up late: it is looked for until ``settle_s`` after
    the stop. One that is to be sent anew is deleted once.
    """
    deleted, now = 0, datetime.now(UTC)
    for project_id, group in groupby(stops.removals(), key=lambda removal: removal.project_id):
        removals = list(group)
        deleted += _delete(client, project_id, removals)
        known = tasks.find([removal.task_id for removal in removals])
        stops.removed([r for r in removals if _is_over(r, known[r.task_id], now, client.settle_s)])
    return deleted


def _delete(client: Studio, project_id: int, removals: Sequence[Removal]) -> int:
    found: list[StudioTask] = []
    with suppress(StudioGone):  # with its project
        found = client.find_tasks(project_id, [removal.task_id for removal in removals])
    for task in found:
        with suppress(StudioGone):  # by somebody else, just now
            client.delete_task(task.studio_task_id)
    return len(found)


def _is_over(removal: Removal, task: Task, now: datetime, settle_s: float) -> bool:
    return task.state not in ENDS or (now - removal.asked_at).total_seconds() > settle_s
