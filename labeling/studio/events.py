"""From what a task shows now, and what the ledger has seen of it, to the events in between. Pure.

The ledger is the truth and Label Studio a screen that may be lost, restored from a backup or made anew, so two things
that look alike are told apart by the server's own times:

- An answer that is not there any more was *taken back* only on the screen it was given on, later than it was given.
  One that is older than the task there was given to an earlier screen; one that is younger than the task's last change
  was there before the server went back in time. Both stay.
- A number may be given twice: by another server, by one that was restored, by SQLite. An annotation made later than all
  that was seen under its number is another one, and gets a number of its own in the ledger (``LIFE`` apart, so that
  later ones still sort later).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from labeling.errors import InvalidInput
from labeling.records import AnnotationEvent, Answer, EventKind, Outcome, TaskKind
from labeling.studio.label_config import Rules, parse_answer
from labeling.studio.wire import StudioAnnotation, StudioTask

TICK = timedelta(milliseconds=1)
LIFE = 1 << 40  # Label Studio's own numbers stay below it
Last = Mapping[int, AnnotationEvent]


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


def ledger_number(annotation: StudioAnnotation, last: Last) -> int:
    """The annotation's number in the ledger, which no other annotation of its task has, on whatever server."""
    known = sorted(number for number in last if number % LIFE == annotation.annotation_id)
    if not known:
        return annotation.annotation_id
    before = last[known[-1]]
    another = annotation.created_at is not None and annotation.created_at > before.studio_updated_at
    return known[-1] + LIFE if another and before.kind is not EventKind.DELETED else known[-1]


def shown(there: Sequence[StudioTask], last: Last) -> dict[int, StudioAnnotation]:
    """What the task and its twins show, by the ledger's numbers, in their order."""
    found = {ledger_number(each, last): each for task in there for each in task.annotations}
    return dict(sorted(found.items()))


def read_events(
    task_id: str,
    there: Sequence[StudioTask],
    history: Sequence[AnnotationEvent],
    policy: Rules,
    people: Mapping[int, str],
    fault: str = "",
    kind: TaskKind = TaskKind.BLIND,
) -> list[AnnotationEvent]:
    """Events that lead from ``history`` to what ``there`` (the task and its twins, with all annotations) shows.

    ``fault``: what is wrong with the content that people were shown; it makes each new answer invalid, but a stop.
    ``kind``: of the task, whose form the answers are held against.
    """
    last = newest(history)
    events = []
    for number, annotation in shown(there, last).items():
        before = last.get(number)
        if before is None or before.kind is EventKind.DELETED or before.studio_updated_at != annotation.updated_at:
            events.append(_event(task_id, number, annotation, before, policy, people, fault, kind))
    return events + taken_back(there, history)


def taken_back(there: Sequence[StudioTask], history: Sequence[AnnotationEvent]) -> list[AnnotationEvent]:
    """A ``deleted`` event for each live annotation that was given to a task of ``there`` and is gone from it."""
    last = newest(history)
    stamps = [task.updated_at for task in there if task.updated_at is not None]
    if not stamps:
        return []
    gone = [last[number] for number in sorted(live_ids(history) - set(shown(there, last)))]
    at = max(stamps)
    return [_deleted(event, at) for event in gone if _given_to(there, event) and event.studio_updated_at <= at]


def outlived(there: Sequence[StudioTask], history: Sequence[AnnotationEvent]) -> list[AnnotationEvent]:
    """What the ledger has seen and a server that went back in time does not know (any more)."""
    last = newest(history)
    stamps = [task.updated_at for task in there if task.updated_at is not None]
    present = shown(there, last)
    older = [last[number] for number, each in present.items() if number in last and _is_older(each, last[number])]
    gone = [last[number] for number in sorted(live_ids(history) - set(present))]
    return older + [event for event in gone if stamps and event.studio_updated_at > max(stamps)]


def earlier(there: Sequence[StudioTask], history: Sequence[AnnotationEvent]) -> list[AnnotationEvent]:
    """The live annotations that the screen does not show (an earlier one did), each by its last event."""
    last = newest(history)
    return [last[number] for number in sorted(live_ids(history) - set(shown(there, last)))]


def _given_to(there: Sequence[StudioTask], event: AnnotationEvent) -> bool:
    return any(task.created_at is None or task.created_at <= event.studio_updated_at for task in there)


def _is_older(annotation: StudioAnnotation, seen: AnnotationEvent) -> bool:
    return seen.kind is not EventKind.DELETED and annotation.updated_at < seen.studio_updated_at


def _deleted(event: AnnotationEvent, at: datetime) -> AnnotationEvent:
    return AnnotationEvent(
        task_id=event.task_id,
        studio_annotation_id=event.studio_annotation_id,
        kind=EventKind.DELETED,
        annotator=event.annotator,
        updated_by="",
        answer=None,
        lead_time_s=None,
        studio_updated_at=max(at, event.studio_updated_at + TICK),
        detail="deleted in Label Studio",
    )


def _event(
    task_id: str,
    number: int,
    annotation: StudioAnnotation,
    before: AnnotationEvent | None,
    policy: Rules,
    people: Mapping[int, str],
    fault: str,
    task_kind: TaskKind,
) -> AnnotationEvent:
    fresh = before is None or before.kind is EventKind.DELETED
    kind = EventKind.CREATED if fresh else EventKind.UPDATED
    answer, detail = None, ""
    if not annotation.skipped:
        answer, detail = _answer(annotation.result, policy, fault, task_kind)
    if answer is None:
        kind = EventKind.SKIPPED if annotation.skipped else EventKind.INVALID
    return AnnotationEvent(
        task_id=task_id,
        studio_annotation_id=number,
        kind=kind,
        annotator=_person(annotation.completed_by, people),
        updated_by=_person(annotation.updated_by, people),
        answer=answer,
        lead_time_s=annotation.lead_time_s,
        studio_updated_at=annotation.updated_at,
        detail=detail,
    )


def _answer(result: object, policy: Rules, fault: str, kind: TaskKind) -> tuple[Answer | None, str]:
    """The answer, or None and why it is none."""
    try:
        answer = parse_answer(policy, result, kind)
    except InvalidInput as error:
        return None, fault or str(error)
    if fault and answer.outcome is not Outcome.LEGAL_STOP:
        return None, fault
    return answer, ""


def _person(number: int | None, people: Mapping[int, str]) -> str:
    """The account's e-mail; ``user-7`` when the account was deleted."""
    if number is None:
        return ""
    return people.get(number) or f"user-{number}"
