"""What people answered, as events that are only ever appended."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from labeling.errors import NotFound
from labeling.records import Annotation, AnnotationEvent, EventKind
from labeling.store.database import Database, now
from labeling.store.rows import dump, insert_missing, load, name_some, select_in
from labeling.store.tables import annotation_events as events
from labeling.store.tables import tasks

LIVE = (EventKind.CREATED, EventKind.UPDATED)
# Of two events with one time the later in this order counts: what ends an annotation wins.
_ORDER = (EventKind.CREATED, EventKind.UPDATED, EventKind.SKIPPED, EventKind.INVALID, EventKind.DELETED)


class SqlAnnotations:
    """``Annotations`` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, events_: Sequence[AnnotationEvent]) -> int:
        """Raises NotFound when a task is unknown; then nothing is appended."""
        with self._database.write() as connection:
            _check_tasks(connection, [event.task_id for event in events_])
            seen_at = now(connection)
            rows = [dump(event) | {"seen_at": seen_at} for event in sorted(events_, key=_identity)]
            return len(insert_missing(connection, events, rows, events.c.seq))

    def events(self, task_id: str) -> list[AnnotationEvent]:
        """In the order in which they were seen."""
        query = sa.select(events).where(events.c.task_id == task_id).order_by(events.c.seq)
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
        return {task_id: live(seen) for task_id, seen in self._seen(task_ids).items()}

    def invalid(self, task_ids: Sequence[str]) -> list[AnnotationEvent]:
        return [
            event
            for _, seen in sorted(self._seen(task_ids).items())
            for _, event in sorted(newest(seen).items())
            if event.kind is EventKind.INVALID and event.annotator not in {a.annotator for a in live(seen)}
        ]

    def _seen(self, task_ids: Sequence[str]) -> dict[str, list[AnnotationEvent]]:
        found: dict[str, list[AnnotationEvent]] = {task_id: [] for task_id in task_ids}
        with self._database.read() as connection:
            for row in select_in(connection, sa.select(events), events.c.task_id, task_ids):
                found[row["task_id"]].append(load(AnnotationEvent, row))
        return found

    def count(self) -> int:
        with self._database.read() as connection:
            return connection.execute(sa.select(sa.func.count()).select_from(events)).scalar_one()


def newest(seen: Iterable[AnnotationEvent]) -> dict[int, AnnotationEvent]:
    """The last event of each annotation, by annotation id."""
    ordered = sorted(seen, key=lambda event: (event.studio_updated_at, _ORDER.index(event.kind)))
    return {event.studio_annotation_id: event for event in ordered}


def live(seen: Iterable[AnnotationEvent]) -> list[Annotation]:
    """The answers that stand after these events of one task, sorted by annotation id."""
    by_annotator: dict[str, list[AnnotationEvent]] = defaultdict(list)
    for event in newest(seen).values():
        if event.kind in LIVE and event.answer is not None:
            by_annotator[event.annotator].append(event)
    last = [
        max(own, key=lambda event: (event.studio_updated_at, event.studio_annotation_id))
        for own in by_annotator.values()
    ]
    return [_annotation(event) for event in sorted(last, key=lambda event: event.studio_annotation_id)]


def _annotation(event: AnnotationEvent) -> Annotation:
    return load(Annotation, dump(event))


def _identity(event: AnnotationEvent) -> tuple[object, ...]:
    return (event.task_id, event.studio_annotation_id, event.studio_updated_at, _ORDER.index(event.kind))


def _check_tasks(connection: sa.Connection, task_ids: Sequence[str]) -> None:
    known = {row["task_id"] for row in select_in(connection, sa.select(tasks.c.task_id), tasks.c.task_id, task_ids)}
    if unknown := sorted(set(task_ids) - known):
        raise NotFound(f"annotations of tasks that nobody knows: {name_some(unknown)}")
