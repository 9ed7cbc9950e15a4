"""What people answered, as events that are only ever appended.

A blind task that went to people as copies is answered by theirs: asked about the task, this tells what was said to its
copies. An answer to a copy counts when the one it was made for gave it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import sqlalchemy as sa

from labeling.consensus import author
from labeling.errors import NotFound
from labeling.records import Annotation, AnnotationEvent, Answer, EventKind, TaskKind, TaskState
from labeling.store.database import Database, now
from labeling.store.gold_chain import lock_chain
from labeling.store.rows import dump, insert_missing, load, name_some, select_in
from labeling.store.stops import is_flag, stop_flagged
from labeling.store.tables import annotation_events as events
from labeling.store.tables import tasks

LIVE = (EventKind.CREATED, EventKind.UPDATED)
# Of two events with one time the later in this order counts: what ends an annotation wins.
_ORDER = (EventKind.CREATED, EventKind.UPDATED, EventKind.SKIPPED, EventKind.INVALID, EventKind.DELETED)
_OUT = (TaskState.WITHDRAWN, TaskState.QUARANTINED)  # a copy in these states answers for nobody
Assignees = Mapping[str, str]


class SqlAnnotations:
    """``Annotations`` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, events_: Sequence[AnnotationEvent]) -> int:
        """Raises NotFound when a task is unknown; then nothing is appended. An answer ``legal_stop`` stops its item in
        the same transaction: there is no moment at which the ledger knows of the flag and still hands the item out."""
        with self._database.write() as connection:
            if any(is_flag(event) for event in events_):
                lock_chain(connection)  # before anything else: its gold will be quarantined
            _check_tasks(connection, [event.task_id for event in events_])
            seen_at = now(connection)
            rows = [dump(event) | {"seen_at": seen_at} for event in sorted(events_, key=_identity)]
            added = len(insert_missing(connection, events, rows, events.c.seq))
            stop_flagged(connection, events_, seen_at)
            return added

    def events(self, task_id: str) -> list[AnnotationEvent]:
        """In the order in which they were seen."""
        copies = sa.select(tasks.c.task_id).where(_copies(), tasks.c.parent_task_id == task_id)
        own = sa.or_(events.c.task_id == task_id, events.c.task_id.in_(copies))
        query = sa.select(events).where(own).order_by(events.c.seq)
        with self._database.read() as connection:
            return [load(AnnotationEvent, row) for row in connection.execute(query).mappings()]

    def history(self, task_ids: Sequence[str]) -> dict[str, list[AnnotationEvent]]:
        """The same for many tasks, in one go; every task asked for has a key."""
        found: dict[str, list[AnnotationEvent]] = {task_id: [] for task_id in task_ids}
        with self._database.read() as connection:
            for row in select_in(connection, sa.select(events).order_by(events.c.seq), events.c.task_id, task_ids):
                found[row["task_id"]].append(load(AnnotationEvent, row))
        return found

    def current(self, task_ids: Sequence[str]) -> dict[str, list[Annotation]]:
        """Every task asked for has its list, maybe empty. The order in which events arrived plays no part."""
        found, assignees = self._seen(task_ids)
        return {task_id: live(seen, assignees) for task_id, seen in found.items()}

    def invalid(self, task_ids: Sequence[str]) -> list[AnnotationEvent]:
        found, assignees = self._seen(task_ids)
        return [
            event
            for _, seen in sorted(found.items())
            for _, event in sorted(newest(seen).items())
            if event.kind is EventKind.INVALID
            and counts(event, assignees)
            and event.annotator not in {a.annotator for a in live(seen, assignees)}
        ]

    def strangers(self, task_ids: Sequence[str]) -> list[AnnotationEvent]:
        found, assignees = self._seen(task_ids, assigned=True)
        return [
            event
            for _, seen in sorted(found.items())
            for _, event in sorted(newest(seen).items())
            if event.kind in LIVE and not counts(event, assignees)
        ]

    def _seen(
        self, task_ids: Sequence[str], *, assigned: bool = False
    ) -> tuple[dict[str, list[AnnotationEvent]], dict[str, str]]:
        """The events of each task asked for, its copies' among them; and whose each task is. ``assigned``: only events
        of tasks that were made for one person."""
        found: dict[str, list[AnnotationEvent]] = {task_id: [] for task_id in task_ids}
        places, assignees = {task_id: {task_id} for task_id in found}, dict[str, str]()
        columns = sa.select(tasks.c.task_id, tasks.c.parent_task_id, tasks.c.assignee)
        with self._database.read() as connection:
            for row in select_in(connection, columns, tasks.c.task_id, list(found)):
                assignees[row["task_id"]] = row["assignee"]
            about = columns.where(_copies(), tasks.c.state.not_in([state.value for state in _OUT]))
            for row in select_in(connection, about, tasks.c.parent_task_id, list(found)):
                places.setdefault(row["task_id"], set()).add(row["parent_task_id"])
                assignees[row["task_id"]] = row["assignee"]
            wanted = [task_id for task_id in places if assignees.get(task_id) or not assigned]
            for row in select_in(connection, sa.select(events), events.c.task_id, wanted):
                event = load(AnnotationEvent, row)
                for place in places[event.task_id]:
                    found[place].append(event)
        return found, assignees

    def count(self) -> int:
        with self._database.read() as connection:
            return connection.execute(sa.select(sa.func.count()).select_from(events)).scalar_one()


def newest(seen: Iterable[AnnotationEvent]) -> dict[tuple[int, str], AnnotationEvent]:
    """The last event of each annotation, by annotation id and task: a server that was set up anew counts from 1."""
    ordered = sorted(seen, key=lambda event: (event.studio_updated_at, _ORDER.index(event.kind)))
    return {(event.studio_annotation_id, event.task_id): event for event in ordered}


def counts(event: AnnotationEvent, assignees: Assignees) -> bool:
    """Whether the one whom a task was made for gave the answer; a task for anybody takes everybody's."""
    assignee = assignees.get(event.task_id, "")
    return not assignee or author(event) == assignee


def live(seen: Iterable[AnnotationEvent], assignees: Assignees | None = None) -> list[Annotation]:
    """The answers that stand after these events of one task and its copies, sorted by annotation id."""
    by_annotator: dict[str, list[AnnotationEvent]] = defaultdict(list)
    for event in newest(seen).values():
        if event.kind in LIVE and event.answer is not None and counts(event, assignees or {}):
            by_annotator[event.annotator].append(event)
    last = [
        max(own, key=lambda event: (event.studio_updated_at, event.studio_annotation_id))
        for own in by_annotator.values()
    ]
    ordered = sorted(last, key=lambda event: (event.studio_annotation_id, event.task_id))
    return [_annotation(event, event.answer) for event in ordered if event.answer is not None]


def _annotation(event: AnnotationEvent, answer: Answer) -> Annotation:
    return Annotation(
        task_id=event.task_id,
        studio_annotation_id=event.studio_annotation_id,
        annotator=event.annotator,
        updated_by=event.updated_by,
        answer=answer,
        lead_time_s=event.lead_time_s,
        studio_updated_at=event.studio_updated_at,
        origin=event.origin,
    )


def _copies() -> sa.ColumnElement[bool]:
    return tasks.c.kind == TaskKind.COPY.value


def _identity(event: AnnotationEvent) -> tuple[object, ...]:
    return (event.task_id, event.studio_annotation_id, event.studio_updated_at, _ORDER.index(event.kind))


def _check_tasks(connection: sa.Connection, task_ids: Sequence[str]) -> None:
    known = {row["task_id"] for row in select_in(connection, sa.select(tasks.c.task_id), tasks.c.task_id, task_ids)}
    if unknown := sorted(set(task_ids) - known):
        raise NotFound(f"annotations of tasks that nobody knows: {name_some(unknown)}")
