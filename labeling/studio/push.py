"""Tasks to Label Studio: each exactly once, whatever fails on the way.

``sending`` is committed before each POST and ``sent`` after it. A POST is never repeated on an unknown outcome: the
tasks are looked up by their opaque id until they show up, or until the server cannot be working on them any more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from labeling.errors import Conflict, InvalidInput, StudioError, StudioRefused, StudioUnreachable
from labeling.records import StudioProject, Task, TaskKind, TaskState
from labeling.studio.client import StudioClient
from labeling.studio.links import Links
from labeling.studio.payload import task_data, task_predictions
from labeling.studio.projects import check_project
from labeling.studio.transport import AnswerLost, ServerFailed
from labeling.studio.twins import by_task_id, record_numbers, settle_twins
from labeling.studio.wire import StudioTask

CHUNK = 100
ATTEMPTS = 3
LEASE_S = 120.0
MAX_SUSPECTS = 8  # that many refused one by one, and none accepted: the server is at fault, not the tasks
Progress = Callable[[int, int], None]  # (tasks done, tasks in all)


class Tasks(Protocol):
    """The part of the ledger's tasks that a push needs."""

    def find(self, task_ids: Sequence[str]) -> dict[str, Task]: ...
    def mark_sending(self, task_ids: Sequence[str], project_id: int) -> None: ...
    def mark_sent(self, studio_ids: Mapping[str, int]) -> None: ...
    def requeue(self, task_ids: Sequence[str]) -> None: ...
    def set_state(self, task_ids: Sequence[str], state: TaskState, error: str = "") -> None: ...


class Leases(Protocol):
    """The part of the ledger's projects that a push needs."""

    def lease(self, base_url: str, project_id: int, holder: str, seconds: float) -> bool: ...
    def release(self, base_url: str, project_id: int, holder: str) -> None: ...


@dataclass(slots=True)
class PushReport:
    """``sent``: new there. ``found``: were there already. ``quarantined``: task id -> why Label Studio refuses it.
    ``removed``: twins deleted."""

    sent: int = 0
    found: int = 0
    removed: int = 0
    quarantined: dict[str, str] = field(default_factory=dict)


def push_tasks(
    client: StudioClient,
    tasks_store: Tasks,
    projects_store: Leases,
    project: StudioProject,
    tasks: Sequence[Task],
    holder: str,
    progress: Progress | None = None,
    *,
    answered: Mapping[str, int] | None = None,
    links: Links | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> PushReport:
    """Send tasks that are ``queued`` or ``sending``; others are left alone. Images need ``links`` (else InvalidInput).

    ``answered``: by task id, how many people's answers the ledger has kept from an earlier screen; so many fewer are
    asked, one at least.
    ``holder`` names the writer: one per process, and the same again after a restart, so that it may go on at once.
    Raises Conflict while another holder fills the project, StudioGone or StudioRefused when the project is not what
    the ledger says, and StudioUnreachable when the server stays away: tasks not settled stay ``sending``, and the
    next push goes on from there.
    """
    _check_tasks(project, tasks)
    run = _Push(client, tasks_store, project, sleep, answered or {}, links)

    def hold() -> None:
        if not projects_store.lease(project.base_url, project.project_id, holder, LEASE_S):
            raise Conflict(
                f"project {project.project_id} is being filled by another process; try again when it is done"
            )

    hold()
    try:
        run.overlap = _default_overlap(client, project)
        for start in range(0, len(tasks), CHUNK):
            hold()
            run.chunk([task.task_id for task in tasks[start : start + CHUNK]])
            if progress:
                progress(min(start + CHUNK, len(tasks)), len(tasks))
        run.finish()
    finally:
        projects_store.release(project.base_url, project.project_id, holder)
    return run.report


def _check_tasks(project: StudioProject, tasks: Sequence[Task]) -> None:
    for task in tasks:
        if (task.policy_id, task.policy_version, task.kind.form, task.assignee, task.modality) != (
            project.policy_id,
            project.policy_version,
            project.kind,
            project.assignee,
            project.modality,
        ):
            raise InvalidInput(
                f"task {task.task_id}: {task.policy_id} {task.policy_version} {task.kind} {task.modality} does not "
                f"belong in project {project.project_id} ({project.policy_id} {project.policy_version} {project.kind} "
                f"{project.modality})"
            )


def _default_overlap(client: StudioClient, project: StudioProject) -> int:
    value = check_project(client, project).settings.get("maximum_annotations")
    return value if isinstance(value, int) else 0


class _Push:
    """One run: what it has done so far, and what it is unsure about."""

    def __init__(
        self,
        client: StudioClient,
        store: Tasks,
        project: StudioProject,
        sleep: Callable[[float], None],
        answered: Mapping[str, int],
        links: Links | None,
    ) -> None:
        self._links = links
        self.report = PushReport()
        self.overlap = 0
        self._client = client
        self._store = store
        self._project_id = project.project_id
        self._sleep = sleep
        self._answered = answered
        self._suspects: dict[str, StudioError] = {}
        self._doubtful: dict[str, Task] = {}

    def chunk(self, task_ids: Sequence[str]) -> None:
        """Send one chunk; returns when each task is there, or is suspected of being the reason for a refusal."""
        tasks = self._open(task_ids)
        wait_s = max((self._may_run_s(task) for task in tasks), default=0.0)
        for attempt in range(ATTEMPTS):
            tasks = self._look_until_settled(tasks, wait_s)
            if not tasks:
                return
            try:
                self._send(tasks)
            except StudioUnreachable as error:
                if attempt == ATTEMPTS - 1:
                    raise
                self._doubtful |= {task.task_id: task for task in tasks}
                wait_s = self._client.settle_s if isinstance(error, AnswerLost) else 0.0
            else:
                return

    def finish(self) -> None:
        """Remove twins that a late answer may have made, and judge the suspects."""
        if self._doubtful:
            self._look(list(self._doubtful.values()), count=False)
        if not self._suspects:
            return
        worst = next(iter(self._suspects.values()))
        lone = len(self._suspects) == 1 and isinstance(worst, StudioRefused)
        if not (self.report.sent or self.report.found or lone):
            raise worst
        for task_id, error in self._suspects.items():
            self._store.set_state([task_id], TaskState.QUARANTINED, str(error))
            self.report.quarantined[task_id] = str(error)

    def _open(self, task_ids: Sequence[str]) -> list[Task]:
        """The tasks as the ledger has them now, without those that need no sending."""
        now = self._store.find(task_ids)
        tasks = [now[task_id] for task_id in task_ids if task_id in now]
        for task in tasks:
            if task.state is TaskState.SENDING and task.project_id not in {None, self._project_id}:
                raise Conflict(f"task {task.task_id} is on its way to project {task.project_id}; finish or requeue it")
        return [task for task in tasks if task.state in {TaskState.QUEUED, TaskState.SENDING}]

    def _may_run_s(self, task: Task) -> float:
        """How long an earlier POST of this task, whose answer nobody kept, may still be running (seconds)."""
        if task.state is not TaskState.SENDING:
            return 0.0
        return self._client.settle_s - (datetime.now(UTC) - task.updated_at).total_seconds()

    def _look_until_settled(self, tasks: Sequence[Task], wait_s: float) -> list[Task]:
        """Look for tasks until all are there or ``wait_s`` is over; those still missing."""
        deadline = time.monotonic() + wait_s
        pause = 0.25
        while True:
            tasks = self._look(tasks)
            left_s = deadline - time.monotonic()
            if not tasks or left_s <= 0:
                return list(tasks)
            self._sleep(min(pause, left_s))
            pause = min(2 * pause, 5.0)

    def _look(self, tasks: Sequence[Task], *, count: bool = True) -> list[Task]:
        """Mark the tasks that are there as sent; those that are not, in order."""
        full = any(task.kind is TaskKind.ASSISTED for task in tasks)
        groups = by_task_id(self._client.find_tasks(self._project_id, [task.task_id for task in tasks], full=full))
        kept, removed = settle_twins(self._client, self._project_id, groups)
        self._suggest_again([task for task in tasks if task.task_id in kept], kept)
        for task in tasks:
            self._restore_overlap(task, kept.get(task.task_id))
        record_numbers(self._store, self._project_id, kept)
        self.report.found += len(kept) if count else 0
        self.report.removed += removed
        return [task for task in tasks if task.task_id not in kept]

    def _suggest_again(self, tasks: Sequence[Task], kept: Mapping[str, StudioTask]) -> None:
        """An import may have lost the suggestions and kept the tasks (parallel writers on SQLite)."""
        for task in tasks:
            there = kept[task.task_id]
            for prediction in task_predictions(task) if not there.predictions else ():
                self._client.predict(there.studio_task_id, prediction)

    def _send(self, tasks: Sequence[Task]) -> None:
        """POST tasks; on a refusal halve them until the one at fault is alone, and suspect it."""
        try:
            self._post(tasks)
        except (StudioRefused, ServerFailed) as error:
            missing = list(tasks) if isinstance(error, StudioRefused) else self._look(tasks)
            if len(missing) == 1:
                self._suspect(missing[0], error)
            elif missing:
                half = len(missing) // 2
                self._send(missing[:half])
                self._send(missing[half:])

    def _post(self, tasks: Sequence[Task]) -> None:
        data = [task_data(task, self._links) for task in tasks]
        predictions = [task_predictions(task) for task in tasks]
        self._store.mark_sending([task.task_id for task in tasks], self._project_id)
        numbers = self._client.import_tasks(self._project_id, data, predictions)
        self._store.mark_sent({task.task_id: number for task, number in zip(tasks, numbers, strict=True)})
        self.report.sent += len(tasks)
        for task, number in zip(tasks, numbers, strict=True):
            if self._asks(task) != self.overlap:
                self._client.set_overlap(number, self._asks(task))

    def _asks(self, task: Task) -> int:
        return max(1, task.overlap - self._answered.get(task.task_id, 0))

    def _restore_overlap(self, task: Task, there: StudioTask | None) -> None:
        """A task that was found: what the ledger has of its answers may have been given there, so that they take up
        places there too; the next pull, which knows who gave them, puts the number right."""
        if there is None:
            return
        asks = self._asks(task)
        if task.task_id in self._answered:
            full = self._client.find_tasks(self._project_id, [task.task_id], full=True)
            asks += sum(each.answers for each in full if each.studio_task_id == there.studio_task_id)
        if there.overlap != asks:
            self._client.set_overlap(there.studio_task_id, asks)

    def _suspect(self, task: Task, error: StudioError) -> None:
        self._suspects[task.task_id] = error
        if len(self._suspects) >= MAX_SUSPECTS and not (self.report.sent or self.report.found):
            raise error
