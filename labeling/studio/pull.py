"""Answers from Label Studio, as events in the ledger. Running it again appends nothing new.

``pull_project`` asks for what changed since the last pull; with ``full`` it walks everything, and then also finds
deleted tasks and annotations that moved unseen, and restores how many people each task asks. A full pull alone
suffices: webhooks only say "pull now".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from labeling.policies import Policy
from labeling.records import AnnotationEvent, EventKind, StudioProject, Task, TaskKind, TaskState
from labeling.studio.client import StudioClient
from labeling.studio.events import live_ids, read_events, vanished
from labeling.studio.label_config import Rules, read_form
from labeling.studio.payload import difference
from labeling.studio.projects import check_project
from labeling.studio.twins import by_task_id, record_numbers, settle_twins
from labeling.studio.wire import StudioTask

OVERLAP = timedelta(minutes=10)  # changes are stamped when a request starts and seen when it commits
AWAITED = (TaskState.SENDING, TaskState.SENT)
UNKNOWN_SHOWN = 20


class Tasks(Protocol):
    """The part of the ledger's tasks that a pull needs."""

    def find(self, task_ids: Sequence[str]) -> dict[str, Task]: ...
    def where(
        self,
        *,
        round_id: str | None = None,
        states: Sequence[TaskState] = (),
        kind: TaskKind | None = None,
        project_id: int | None = None,
        limit: int | None = None,
    ) -> list[Task]: ...
    def mark_sending(self, task_ids: Sequence[str], project_id: int) -> None: ...
    def mark_sent(self, studio_ids: Mapping[str, int]) -> None: ...
    def requeue(self, task_ids: Sequence[str]) -> None: ...
    def set_state(self, task_ids: Sequence[str], state: TaskState, error: str = "") -> None: ...


class Annotations(Protocol):
    """The part of the ledger's annotations that a pull needs."""

    def append(self, events: Sequence[AnnotationEvent]) -> int: ...
    def events(self, task_id: str) -> list[AnnotationEvent]: ...


class Watermarks(Protocol):
    """The part of the ledger's projects that a pull needs."""

    def set_watermark(self, base_url: str, project_id: int, watermark: datetime) -> None: ...


class Stores(Protocol):
    """The part of the ledger that a pull needs."""

    @property
    def tasks(self) -> Tasks: ...

    @property
    def annotations(self) -> Annotations: ...

    @property
    def projects(self) -> Watermarks: ...


@dataclass(slots=True)
class PullReport:
    """``tasks``: looked at. ``events``: new in the ledger; the next five say of which kind. ``quarantined``: tasks
    whose content was edited there. ``requeued``: tasks that vanished there. ``unknown``: Label Studio's ids of tasks
    that Goldfold did not send (the first 20)."""

    tasks: int = 0
    events: int = 0
    created: int = 0
    updated: int = 0
    deleted: int = 0
    skipped: int = 0
    invalid: int = 0
    quarantined: int = 0
    requeued: int = 0
    twins_removed: int = 0
    unknown: tuple[int, ...] = ()


def pull_project(
    client: StudioClient, stores: Stores, project: StudioProject, policy: Policy, *, full: bool = False
) -> PullReport:
    """Bring a project's answers into the ledger. Raises StudioGone when the project was deleted, and StudioRefused
    when its form was edited: answers to another form are not answers to this policy. ``policy`` may be a newer version
    than the project's: answers are then held against the rules that people were shown."""
    state = check_project(client, project)
    rules = policy if policy.version == project.policy_version else read_form(state.label_config)
    pull = _Pull(client, stores, project, rules, full=full)
    started = client.clock()
    since = None if full or project.watermark is None else project.watermark - OVERLAP
    awaited = stores.tasks.where(states=[TaskState.SENT], project_id=project.project_id) if full else []
    for page in client.pages(project.project_id, since):
        pull.page(page)
    pull.requeue([task for task in awaited if task.task_id not in pull.seen])
    stores.projects.set_watermark(project.base_url, project.project_id, started)
    return pull.report


class _Pull:
    """One run over a project."""

    def __init__(
        self, client: StudioClient, stores: Stores, project: StudioProject, policy: Rules, *, full: bool
    ) -> None:
        self.report = PullReport()
        self.seen: set[str] = set()
        self._client = client
        self._stores = stores
        self._project_id = project.project_id
        self._policy = policy
        self._kind = project.kind
        self._full = full
        self._people = client.people()

    def page(self, page: Sequence[StudioTask]) -> None:
        """One page: events appended, task states corrected."""
        self.report.tasks += len(page)
        groups = by_task_id(page)
        ours = {
            task_id: task
            for task_id, task in self._stores.tasks.find(list(groups)).items()
            if task.project_id == self._project_id
        }
        strangers = [task.studio_task_id for task in page if task.task_id not in ours]
        self.report.unknown = (*self.report.unknown, *strangers)[:UNKNOWN_SHOWN]
        self.seen |= set(ours)
        history = {task_id: self._stores.annotations.events(task_id) for task_id in ours}
        there = self._complete({task_id: groups[task_id] for task_id in ours}, ours, history)
        events: list[AnnotationEvent] = []
        for task_id, task in ours.items():
            events += self._events_of(task, there[task_id], history[task_id])
            if self._full and task.state in AWAITED:
                self._restore_overlap(task, there[task_id])
        self._append(events)

    def requeue(self, tasks: Sequence[Task]) -> None:
        """Queue again the tasks that are not there any more; their answers are gone with them."""
        there = by_task_id(self._client.find_tasks(self._project_id, [task.task_id for task in tasks]))
        missing = self._stores.tasks.find([task.task_id for task in tasks if task.task_id not in there])
        gone = [task_id for task_id, task in missing.items() if task.state is TaskState.SENT]  # settled meanwhile: done
        if not gone:
            return
        now = self._client.clock()
        for task_id in gone:
            self._append(vanished(self._stores.annotations.events(task_id), (), now, "its task was deleted"))
        self._stores.tasks.requeue(gone)
        self.report.requeued += len(gone)

    def _complete(
        self,
        groups: Mapping[str, list[StudioTask]],
        ours: Mapping[str, Task],
        history: Mapping[str, Sequence[AnnotationEvent]],
    ) -> dict[str, list[StudioTask]]:
        """All twins of each task, where a page may not show them all: when an answer seems gone, or when the task is
        not the one that was sent. Twins nobody worked on are removed."""
        unsure = [
            task_id
            for task_id, group in groups.items()
            if len(group) > 1
            or group[0].studio_task_id != ours[task_id].studio_task_id
            or live_ids(history[task_id]) - {a.annotation_id for task in group for a in task.annotations}
        ]
        fresh = by_task_id(self._client.find_tasks(self._project_id, unsure, full=True))
        kept, removed = settle_twins(self._client, self._project_id, fresh)
        self.report.twins_removed += removed
        record_numbers(self._stores.tasks, self._project_id, kept)
        return {**groups, **fresh}

    def _events_of(
        self, task: Task, there: Sequence[StudioTask], history: Sequence[AnnotationEvent]
    ) -> list[AnnotationEvent]:
        fault = next((reason for each in there if (reason := difference(task, each.data))), "")
        if fault and task.state in AWAITED:
            self._stores.tasks.set_state([task.task_id], TaskState.QUARANTINED, fault)
            self.report.quarantined += 1
        return read_events(task.task_id, there, history, self._policy, self._people, fault, self._kind)

    def _restore_overlap(self, task: Task, there: Sequence[StudioTask]) -> None:
        """Somebody changed the project's number there, which rewrites every task's."""
        for each in there:
            if each.studio_task_id == task.studio_task_id and each.overlap != task.overlap:
                self._client.set_overlap(each.studio_task_id, task.overlap)

    def _append(self, events: Sequence[AnnotationEvent]) -> None:
        if not events:
            return
        self.report.events += self._stores.annotations.append(events)
        self.report.created += sum(event.kind is EventKind.CREATED for event in events)
        self.report.updated += sum(event.kind is EventKind.UPDATED for event in events)
        self.report.deleted += sum(event.kind is EventKind.DELETED for event in events)
        self.report.skipped += sum(event.kind is EventKind.SKIPPED for event in events)
        self.report.invalid += sum(event.kind is EventKind.INVALID for event in events)
