"""Answers from Label Studio, as events in the ledger. Running it again appends nothing new.

``pull_project`` asks for what changed since the last pull; with ``full`` it walks everything, and then also finds
deleted tasks and annotations that moved unseen, and restores how many people each task asks. Links of images are
renewed wherever one is met that has come half of its way, and now and then all that are open are looked at
(``renew_links``), since a task that nobody touches is in no pull but a full one. A full pull alone suffices: webhooks
only say "pull now". Memory grows by the ids of a project's tasks, not by what they hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from labeling.errors import StudioGone
from labeling.policies import Policy
from labeling.records import AnnotationEvent, EventKind, StudioProject, Task, TaskState
from labeling.studio.asking import wanted
from labeling.studio.client import LOOKUP_MAX, StudioClient
from labeling.studio.events import earlier, newest, outlived, read_events, shown, taken_back
from labeling.studio.findings import Finding, Findings, Found
from labeling.studio.label_config import Rules, read_form
from labeling.studio.links import IMAGE, Links
from labeling.studio.payload import difference, task_data
from labeling.studio.projects import check_project
from labeling.studio.twins import by_task_id, record_numbers, settle_twins
from labeling.studio.wire import StudioTask

OVERLAP = timedelta(minutes=10)  # changes are stamped when a request starts and seen when it commits
AWAITED = (TaskState.SENDING, TaskState.SENT)
ENDS = (TaskState.SETTLED, TaskState.WITHDRAWN)
UNKNOWN_SHOWN = 20
NEWER = "newer than any task there: was the server restored from a backup?"


class Tasks(Protocol):
    """The part of the ledger's tasks that a pull needs."""

    def find(self, task_ids: Sequence[str]) -> dict[str, Task]: ...
    def ids(self, *, states: Sequence[TaskState], project_id: int) -> list[str]: ...
    def mark_sending(self, task_ids: Sequence[str], project_id: int) -> None: ...
    def mark_sent(self, studio_ids: Mapping[str, int]) -> None: ...
    def requeue(self, task_ids: Sequence[str]) -> None: ...
    def set_state(self, task_ids: Sequence[str], state: TaskState, error: str = "") -> None: ...


class Annotations(Protocol):
    """The part of the ledger's annotations that a pull needs."""

    def append(self, events: Sequence[AnnotationEvent]) -> int: ...
    def history(self, task_ids: Sequence[str]) -> dict[str, list[AnnotationEvent]]: ...


class Watermarks(Protocol):
    """The part of the ledger's projects that a pull needs."""

    def set_watermark(self, base_url: str, project_id: int, watermark: datetime) -> None: ...
    def set_relinked(self, base_url: str, project_id: int, at: datetime) -> None: ...


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
    whose content was edited there. ``requeued``: tasks that vanished there. ``relinked``: tasks whose images have new
    links. ``unknown``: Label Studio's ids of tasks that Goldfold did not send (the first 20). ``found``: how often each
    thing was amiss; ``findings``: the first of them, one by one."""

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
    relinked: int = 0
    unknown: tuple[int, ...] = ()
    found: Mapping[str, int] = field(default_factory=dict)
    findings: Sequence[Finding] = ()


def pull_project(
    client: StudioClient,
    stores: Stores,
    project: StudioProject,
    policy: Policy,
    *,
    full: bool = False,
    links: Links | None = None,
) -> PullReport:
    """Bring a project's answers into the ledger. Raises StudioGone when the project was deleted, and StudioRefused
    when its form was edited: answers to another form are not answers to this policy. ``policy`` may be a newer version
    than the project's: answers are then held against the rules that people were shown. ``links``: without them a
    project of images that has open tasks is InvalidInput."""
    pull = _Pull(client, stores, project, rules_of(client, project, policy), links, full=full)
    started = client.clock()
    since = None if full or project.watermark is None else project.watermark - OVERLAP
    if project.watermark is not None and started < project.watermark - OVERLAP / 2:  # new changes would look old
        pull.findings.add(Found.CLOCK_BACK, detail=f"from {project.watermark:%F %T} to {started:%F %T} UTC")
        since = None
    awaited = stores.tasks.ids(states=[TaskState.SENT], project_id=project.project_id) if full else []
    for page in client.pages(project.project_id, since):
        pull.page(page)
    pull.requeue([task_id for task_id in awaited if task_id not in pull.seen])
    stores.projects.set_watermark(project.base_url, project.project_id, started)
    if links is not None and project.modality == IMAGE:
        pull.renew_links(project, links)
    return pull.told()


def rules_of(client: StudioClient, project: StudioProject, policy: Policy) -> Rules:
    """The rules that the people of a project are shown, which is as Goldfold made it. Raises as ``pull_project``."""
    state = check_project(client, project)
    return policy if policy.version == project.policy_version else read_form(state.label_config)


class _Pull:
    """One run over a project."""

    def __init__(
        self,
        client: StudioClient,
        stores: Stores,
        project: StudioProject,
        policy: Rules,
        links: Links | None,
        *,
        full: bool,
    ) -> None:
        self.report = PullReport()
        self.seen: set[str] = set()
        self.findings = Findings(project.project_id)
        self._highest = 0
        self._client = client
        self._stores = stores
        self._project_id = project.project_id
        self._policy = policy
        self._links = links
        self._kind = project.kind
        self._full = full
        self._people = client.people()

    def page(self, page: Sequence[StudioTask]) -> None:
        """One page: events appended, task states corrected."""
        self.report.tasks += len(page)
        self._highest = max(self._highest, *(task.studio_task_id for task in page))
        groups = by_task_id(page)
        ours = {
            task_id: task
            for task_id, task in self._stores.tasks.find(list(groups)).items()
            if task.project_id == self._project_id
        }
        strangers = [task.studio_task_id for task in page if task.task_id not in ours]
        for number in strangers:
            self.findings.add(Found.UNKNOWN_TASK, studio_task_id=number)
        self.report.unknown = (*self.report.unknown, *strangers)[:UNKNOWN_SHOWN]
        self.seen |= set(ours)
        history = self._stores.annotations.history(list(ours))
        there = self._complete({task_id: groups[task_id] for task_id in ours}, ours, history)
        new = {task_id: self._events_of(task, there[task_id], history[task_id]) for task_id, task in ours.items()}
        self._append([event for events in new.values() for event in events])
        for task_id, task in ours.items():
            now = [*history[task_id], *new[task_id]]
            self._tell(task, there[task_id], now, new[task_id])
            asks = task.state in AWAITED and not self._fault(task, there[task_id])
            if asks and (self._full or task.extra or earlier(there[task_id], now)):
                self._restore_overlap(task, there[task_id], now)
            if asks:
                self._relink(task, there[task_id])

    def requeue(self, task_ids: Sequence[str]) -> None:
        """Queue again the tasks that are not there any more. Their answers stay: a screen was lost, not a judgement."""
        for start in range(0, len(task_ids), LOOKUP_MAX):
            some = task_ids[start : start + LOOKUP_MAX]
            there = by_task_id(self._client.find_tasks(self._project_id, some))
            missing = self._stores.tasks.find([task_id for task_id in some if task_id not in there])
            gone = [
                task_id for task_id, task in missing.items() if task.state is TaskState.SENT
            ]  # or settled meanwhile
            self._stores.tasks.requeue(gone)
            for task_id in gone:
                newer = (missing[task_id].studio_task_id or 0) > self._highest
                self.findings.add(Found.TASK_DELETED, task_id, detail=NEWER if newer else "")
            self.report.requeued += len(gone)

    def renew_links(self, project: StudioProject, links: Links) -> None:
        """Look at the links of all open tasks, unless that was done a quarter of their life ago: then each has a
        quarter left, at least, when it is looked at again."""
        at = links.clock()
        if project.relinked_at is not None and at < project.relinked_at + links.lifetime / 4:
            return
        open_ids = self._stores.tasks.ids(states=[TaskState.SENT], project_id=self._project_id)
        for start in range(0, len(open_ids), LOOKUP_MAX):
            some = open_ids[start : start + LOOKUP_MAX]
            groups = by_task_id(self._client.find_tasks(self._project_id, some))
            for task_id, task in self._stores.tasks.find(list(groups)).items():
                if task.state in AWAITED and not self._fault(task, groups[task_id]):
                    self._relink(task, groups[task_id])
        self._stores.projects.set_relinked(project.base_url, self._project_id, at)

    def _relink(self, task: Task, there: Sequence[StudioTask]) -> None:
        if self._links is None or task.modality != IMAGE:
            return
        old = [each for each in there if self._links.are_old(task, each.data)]
        for each in old:
            with suppress(StudioGone):  # just now: the next full pull sends it again
                self._client.set_data(each.studio_task_id, task_data(task, self._links))
        self.report.relinked += bool(old)

    def _fault(self, task: Task, there: Sequence[StudioTask]) -> str:
        """Why what people were shown is not what was sent, or nothing."""
        return next((reason for each in there if (reason := difference(task, each.data, self._links))), "")

    def told(self) -> PullReport:
        """The report, with what was found."""
        counts = {str(found): count for found, count in sorted(self.findings.counts.items())}
        return replace(self.report, found=counts, findings=tuple(self.findings.rows))

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
            or taken_back(group, history[task_id])
        ]
        fresh = by_task_id(self._client.find_tasks(self._project_id, unsure, full=True))
        kept, removed = settle_twins(self._client, self._project_id, fresh)
        self.report.twins_removed += removed
        self.findings.add_all(Found.TWINS, [task_id for task_id, group in fresh.items() if len(group) > 1])
        record_numbers(self._stores.tasks, self._project_id, kept)
        return {**groups, **fresh}

    def _events_of(
        self, task: Task, there: Sequence[StudioTask], history: Sequence[AnnotationEvent]
    ) -> list[AnnotationEvent]:
        fault = self._fault(task, there)
        if fault and task.state in AWAITED:
            self._stores.tasks.set_state([task.task_id], TaskState.QUARANTINED, fault)
            self.report.quarantined += 1
        return read_events(task.task_id, there, history, self._policy, self._people, fault, self._kind)

    def _tell(
        self, task: Task, there: Sequence[StudioTask], now: Sequence[AnnotationEvent], new: Sequence[AnnotationEvent]
    ) -> None:
        """What is amiss with one task and its answers."""
        number = there[0].studio_task_id
        if task.state in (*AWAITED, TaskState.QUARANTINED) and (fault := self._fault(task, there)):
            self.findings.add(Found.TASK_EDITED, task.task_id, number, fault)
        for event in new:
            if event.kind is EventKind.DELETED:
                self.findings.add(Found.ANSWER_TAKEN_BACK, task.task_id, number, f"by {event.annotator}")
        for event in outlived(there, now):
            self.findings.add(
                Found.RESTORED, task.task_id, number, f"{event.annotator} at {event.studio_updated_at:%F %T}"
            )
        last = newest(now)
        for annotation_number, annotation in shown(there, last).items():
            if annotation.completed_by not in self._people:
                self.findings.add(Found.UNKNOWN_PERSON, task.task_id, number, f"user-{annotation.completed_by}")
            if task.state not in ENDS and last[annotation_number].kind is EventKind.INVALID:
                self.findings.add(Found.INVALID_ANSWER, task.task_id, number, last[annotation_number].detail)

    def _restore_overlap(self, task: Task, there: Sequence[StudioTask], now: Sequence[AnnotationEvent]) -> None:
        """Somebody changed the project's number there, which rewrites every task's; or somebody answered who had done
        so on an earlier screen, and closed the task to those who have not."""
        asks = wanted(task, there, now)
        for each in there:
            if each.studio_task_id != task.studio_task_id:
                continue
            if self._client.ask(each, asks):
                self.findings.add(
                    Found.CLOSED_EARLY, task.task_id, each.studio_task_id, f"{each.overlap} became {asks}"
                )
            elif each.overlap != asks:
                self.findings.add(Found.OVERLAP_CHANGED, task.task_id, each.studio_task_id, f"was {each.overlap}")

    def _append(self, events: Sequence[AnnotationEvent]) -> None:
        if not events:
            return
        self.report.events += self._stores.annotations.append(events)
        self.report.created += sum(event.kind is EventKind.CREATED for event in events)
        self.report.updated += sum(event.kind is EventKind.UPDATED for event in events)
        self.report.deleted += sum(event.kind is EventKind.DELETED for event in events)
        self.report.skipped += sum(event.kind is EventKind.SKIPPED for event in events)
        self.report.invalid += sum(event.kind is EventKind.INVALID for event in events)
