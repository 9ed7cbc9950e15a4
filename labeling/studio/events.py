"""From what a task shows now, and what the ledger has seen of it, to the events in between. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from labeling.errors import InvalidInput
from labeling.records import AnnotationEvent, EventKind, Origin
from labeling.studio.label_config import Rules, parse_answer
from labeling.studio.wire import StudioAnnotation, StudioTask

TICK = timedelta(milliseconds=1)


def newest(history: Sequence[AnnotationEvent]) -> dict[int, AnnotationEvent]:
    """The last event of each annotation, by annotation id."""
    last: dict[int, AnnotationEvent] = {}
    for event in history:
        before = last.get(event.studio_annotation_id)
        if before is None or event.studio_updated_at >= before.studio_updated_at:
            last[event.studio_annotation_id] = event
    return last


def live_ids(history: Sequence[AnnotationEvent]) -> set[int]:
    """Annotations that were there when last seen."""
    return {number for number, event in newest(history).items() if event.kind is not EventKind.DELETED}


def read_events(
    task_id: str,
    there: Sequence[StudioTask],
    history: Sequence[AnnotationEvent],
    policy: Rules,
    people: Mapping[int, str],
    fault: str = "",
) -> list[AnnotationEvent]:
    """Events that lead from ``history`` to what ``there`` (the task and its twins, with all annotations) shows.

    ``fault``: what is wrong with the content that people were shown; it makes each new answer invalid.
    """
    last = newest(history)
    annotations = [annotation for task in there for annotation in task.annotations]
    events = []
    for annotation in sorted(annotations, key=lambda annotation: annotation.annotation_id):
        before = last.get(annotation.annotation_id)
        if before is None or before.kind is EventKind.DELETED or before.studio_updated_at != annotation.updated_at:
            events.append(_event(task_id, annotation, before, policy, people, fault))
    stamps = [task.updated_at for task in there if task.updated_at is not None]
    if stamps:
        ids = {annotation.annotation_id for annotation in annotations}
        events += vanished(history, ids, max(stamps), "deleted in Label Studio")
    return events


def vanished(
    history: Sequence[AnnotationEvent], there: Collection[int], at: datetime, detail: str
) -> list[AnnotationEvent]:
    """A ``deleted`` event for each live annotation that is not among ``there``; later than what it ends."""
    last = newest(history)
    return [
        AnnotationEvent(
            task_id=last[number].task_id,
            studio_annotation_id=number,
            kind=EventKind.DELETED,
            annotator=last[number].annotator,
            updated_by="",
            answer=None,
            lead_time_s=None,
            studio_updated_at=max(at, last[number].studio_updated_at + TICK),
            detail=detail,
        )
        for number in sorted(live_ids(history) - set(there))
    ]


def _event(
    task_id: str,
    annotation: StudioAnnotation,
    before: AnnotationEvent | None,
    policy: Rules,
    people: Mapping[int, str],
    fault: str,
) -> AnnotationEvent:
    fresh = before is None or before.kind is EventKind.DELETED
    kind = EventKind.CREATED if fresh else EventKind.UPDATED
    answer, detail = None, "" if annotation.skipped else fault
    if not annotation.skipped and not fault:
        try:
            answer = parse_answer(policy, annotation.result)
        except InvalidInput as error:
            detail = str(error)
    if answer is None:
        kind = EventKind.SKIPPED if annotation.skipped else EventKind.INVALID
    return AnnotationEvent(
        task_id=task_id,
        studio_annotation_id=annotation.annotation_id,
        kind=kind,
        annotator=_person(annotation.completed_by, people),
        updated_by=_person(annotation.updated_by, people),
        answer=answer,
        lead_time_s=annotation.lead_time_s,
        studio_updated_at=annotation.updated_at,
        detail=detail,
        origin=Origin.UNKNOWN if answer is None else origin_of(annotation),
    )


def origin_of(annotation: StudioAnnotation) -> Origin:
    """By the origins of its controls: one that was changed counts before one that was taken over. A person who clears
    a suggestion and answers anew leaves no such control, and still began with it."""
    rows = annotation.result if isinstance(annotation.result, list) else []
    said = {row.get("origin") for row in rows if isinstance(row, Mapping)}
    if "prediction-changed" in said:
        return Origin.CHANGED
    if "prediction" in said:
        return Origin.TAKEN
    return Origin.ANEW if "manual" in said or annotation.suggested else Origin.UNKNOWN


def _person(number: int | None, people: Mapping[int, str]) -> str:
    """The account's e-mail; ``user-7`` when the account was deleted."""
    if number is None:
        return ""
    return people.get(number) or f"user-{number}"
