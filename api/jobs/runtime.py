"""Starting, watching and ending durable jobs in this process.

The same job id twice is one job. A failed job started again goes on at the step that failed; a cancelled one at the
step it had reached. A dead process's jobs are taken over: by the next process in the same slot at once, by any other
process when its heartbeat has stopped for ``DEAD_AFTER_S``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import structlog
from dbos import DBOS, DBOSPortableJSONSerializer, PortableWorkflowError, SetWorkflowID, WorkflowStatus

from api.composition import Goldfold
from api.jobs import workflows
from api.jobs.database import jobs_engine
from api.jobs.errors import JobCancelled, JobConflict, JobError, JobFailed, JobUnknown
from api.jobs.progress import last_tick
from api.jobs.slots import ExecutorSlot
from api.jobs.workflows import HEAVY, KINDS, SYNC, Json
from labeling.errors import StoreError

log = structlog.get_logger(__name__)

APPLICATION_VERSION = "1"  # raise it when the steps of a job change in kind or order
BEAT_S = 5.0
DEAD_AFTER_S = 30.0
POLL_S = 0.2
ENDED = ("done", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Job:
    """A job as others see it. ``state``: queued, running, done, failed or cancelled; ``progress`` holds stage, done
    and total; times in seconds since the epoch."""

    job_id: str
    kind: str
    state: str
    progress: Json
    result: Json | None
    error: str | None
    created_at_s: float
    updated_at_s: float


class JobRuntime:
    """The jobs of one process; ``start`` and ``close`` it once."""

    def __init__(self, goldfold: Goldfold) -> None:
        self._goldfold = goldfold
        self._slot: ExecutorSlot | None = None
        self._stop = threading.Event()
        self._beat = threading.Thread(target=self._heartbeat, name="goldfold-heartbeat", daemon=True)

    def start(self) -> None:
        """Take an executor slot, bind the jobs, and recover what this slot left unfinished."""
        settings = self._goldfold.settings
        self._slot = ExecutorSlot.take(settings.data_dir / "executors", settings.executor_id)
        workflows.bind(self._goldfold)
        DBOS(
            config={
                "name": "goldfold",
                "system_database_engine": jobs_engine(self._goldfold.jobs_url),
                "system_database_url": self._goldfold.jobs_url,
                "serializer": DBOSPortableJSONSerializer(),
                "executor_id": self._slot.executor_id,
                "application_version": APPLICATION_VERSION,
                "log_level": "CRITICAL",  # failures reach the caller as JobFailed, and the log from there
                "notification_listener_polling_interval_sec": 0.1,
            }
        )
        DBOS.launch()
        for queue in (HEAVY, SYNC):
            DBOS.register_queue(queue, global_concurrency=1, polling_interval_sec=0.1)
        self._beat.start()

    def close(self) -> None:
        """Stop taking jobs; running ones go on where they stopped when a process starts again."""
        self._stop.set()
        self._beat.join(timeout=2 * BEAT_S)
        DBOS.destroy(workflow_completion_timeout_sec=0)
        workflows.bind(None)
        if self._slot is not None:
            self._goldfold.ledger.executors.remove(self._slot.executor_id)
            self._slot.release()

    def submit(self, kind: str, job_id: str, request: Json) -> Job:
        """Start a job, or go on with the one that has this id. Raises JobConflict when it means something else."""
        function, queue = KINDS[kind]
        status = DBOS.get_workflow_status(job_id)
        if status is None:
            with SetWorkflowID(job_id):
                DBOS.enqueue_workflow(queue, function, request)
            return self.get(job_id)
        self._same(status, function.__name__, request)
        if status.status == "ERROR":
            DBOS.rewind_workflow(job_id, start_step=self._failed_step(job_id), queue_name=queue)
        elif status.status in ("CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"):
            DBOS.resume_workflow(job_id, queue_name=queue)
        return self.get(job_id)

    def get(self, job_id: str) -> Job:
        """The job as it stands. Raises JobUnknown."""
        status = DBOS.get_workflow_status(job_id)
        if status is None:
            raise JobUnknown(f"no job has the id {job_id!r}")
        return _job(status)

    def all(self, limit: int = 50) -> list[Job]:
        """The newest jobs first."""
        return [_job(status) for status in DBOS.list_workflows(limit=limit, sort_desc=True)]

    def cancel(self, job_id: str) -> Job:
        """Cancel a job at its next step; the same id submitted again goes on from there."""
        self.get(job_id)
        DBOS.cancel_workflow(job_id)
        return self.get(job_id)

    def forget(self, job_id: str) -> None:
        """Drop the record of a job that ended."""
        if self.get(job_id).state in ENDED:
            DBOS.delete_workflow(job_id)

    def follow(self, job_id: str, stop: threading.Event | None = None) -> Iterator[Job]:
        """Yield the job whenever it changed, until it ends (its last form included) or ``stop`` is set."""
        stop = stop or threading.Event()
        last: Job | None = None
        while not stop.is_set():
            job = self.get(job_id)
            if last is None or (job.state, job.progress) != (last.state, last.progress):
                yield job
            last = job
            if job.state in ENDED:
                return
            stop.wait(POLL_S)

    def result(
        self, job_id: str, watch: Callable[[Job], None] | None = None, stop: threading.Event | None = None
    ) -> Json:
        """Wait for the end and return the result. Raises JobFailed, JobCancelled, or JobError when stopped waiting."""
        job = None
        for job in self.follow(job_id, stop):
            if watch is not None:
                watch(job)
        if job is None or job.state not in ENDED:
            raise JobError(f"stopped waiting for job {job_id!r}, which goes on")
        if job.state == "cancelled":
            raise JobCancelled(f"job {job_id!r} was cancelled; start it again with the same id to go on")
        if job.state == "failed":
            raise self._failure(job_id)
        return job.result or {}

    def _failure(self, job_id: str) -> JobFailed:
        status = DBOS.get_workflow_status(job_id)
        error = None if status is None else status.error
        if isinstance(error, PortableWorkflowError):
            return JobFailed(error.message, error.name)
        return JobFailed(str(error), type(error).__name__)

    def _same(self, status: WorkflowStatus, name: str, request: Json) -> None:
        given = (status.input or {"args": (), "kwargs": {}})["args"]
        if status.name != name or tuple(given) != (request,):
            raise JobConflict(f"the job id {status.workflow_id!r} is taken by another job; choose another id")

    def _failed_step(self, job_id: str) -> int:
        failed = [step["function_id"] for step in DBOS.list_workflow_steps(job_id) if step["error"] is not None]
        return min(failed, default=1)

    def _heartbeat(self) -> None:
        executors = self._goldfold.ledger.executors
        slot = self._slot
        if slot is None:
            return
        while not self._stop.is_set():
            try:
                executors.beat(slot.executor_id)
                for dead in executors.dead(DEAD_AFTER_S):
                    self._take_over(dead)
                    executors.remove(dead)
            except StoreError as error:  # the ledger is away for now; the next beat tries again
                log.warning("heartbeat_missed", error=str(error))
            self._stop.wait(BEAT_S)

    def _take_over(self, executor_id: str) -> None:
        for status in DBOS.list_workflows(status="PENDING", executor_id=[executor_id]):
            queue = next(queue for function, queue in KINDS.values() if function.__name__ == status.name)
            DBOS.resume_workflow(status.workflow_id, queue_name=queue)


def _job(status: WorkflowStatus) -> Job:
    states = {"ENQUEUED": "queued", "DELAYED": "queued", "PENDING": "running", "SUCCESS": "done"}
    state = states.get(status.status, "cancelled" if status.status == "CANCELLED" else "failed")
    progress: Any = DBOS.get_event(status.workflow_id, "progress", timeout_seconds=0)
    return Job(
        job_id=status.workflow_id,
        kind=status.name.rstrip("_"),
        state=state,
        progress=last_tick(status.workflow_id) or progress or {},
        result=status.output if state == "done" else None,
        error=str(status.error) if status.error is not None else None,
        created_at_s=(status.created_at or 0) / 1000,
        updated_at_s=(status.updated_at or 0) / 1000,
    )
