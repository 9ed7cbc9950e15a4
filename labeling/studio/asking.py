"""How many people a task in Label Studio must ask, so that enough different ones answer. Pure.

An answer that the ledger has kept from an earlier screen is one less to ask for. But the free Label Studio cannot keep
somebody from a task, so whoever answered before may open it again: that answer must not use up another person's place,
and neither may one to content that was edited by hand, nor one on a desk that is not one's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from labeling.records import AnnotationEvent, EventKind, Task
from labeling.studio.events import earlier, newest, shown
from labeling.studio.payload import EDITED
from labeling.studio.wire import StudioTask

ANSWERS = (EventKind.CREATED, EventKind.UPDATED)


def people_of(events: Iterable[AnnotationEvent]) -> frozenset[str]:
    """Who gave the answers among ``events`` (the last one of each annotation)."""
    return frozenset(author(event) for event in events if event.kind in ANSWERS and event.answer is not None)


def author(event: AnnotationEvent) -> str:
    """Who really wrote it; addresses are compared without case."""
    return (event.updated_by or event.annotator).strip().casefold()


def wanted(task: Task, there: Sequence[StudioTask], history: Sequence[AnnotationEvent]) -> int:
    """The overlap that ``there`` (the task and its twins) must have.

    ``history`` holds every event of the task, those that this look at ``there`` made included.
    """
    last = newest(history)
    before = people_of(earlier(there, history))
    present = [last[number] for number in shown(there, last) if number in last]
    answered = people_of(present)
    void = sum(event.kind is EventKind.INVALID and event.detail.endswith(EDITED) for event in present)
    strangers = answered - {task.assignee} if task.assignee else frozenset()
    return max(1, task.overlap - len(before) + len(before & answered | strangers) + void)
