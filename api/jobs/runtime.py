"""Starting, watching and ending durable jobs in this process.

The same job id twice is one job. A failed job started again goes on at the step that failed; a cancelled one at the
step it had reached. A dead process's jobs are taken over: by the next process in the same slot at once, by any other
process when its heartbeat has stopped for ``DEAD_AFTER_S`` and its slot is free.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import sqlalchemy as sa
import structlog
from dbos import DBOS, DBOSPortableJSONSerializer, PortableWorkflowError, SetWorkflowID, WorkflowStatus
from dbos import error as dbos_errors

from api.composition import Goldfold
from api.ids import check_id
from api.jobs import workflows
from api.jobs.database import jobs_engine, plain_errors
from api.jobs.errors import JobCancelled, JobConflict, JobError, JobFailed, JobUnknown
from api.jobs.progress import last_tick
from api.jobs.records import ENDED, Job, Json
from api.jobs.rescoring import begin_owed
from api.jobs.running import RUNS, STEPS
from api.jobs.slots import ExecutorSlot
from api.jobs.workflows import HEAVY, KINDS, MAP, MIRROR, REMOTE, SYNC
from labeling.errors import LabelingError, StoreError

__all__ = ["Job", "JobRuntime"]

log = structlog.get_logger(__name__)

APPLICATION_VERSION = "1"  # raise it when the steps of a job change in kind or order
BEAT_S = 5.0
DEAD_AFTER_S = 30.0
POLL_S = 0.2
UNRECORDED_S = 3.0  # how long after its end a job may look as if it ran
GRACE_S = 5.0  # how long the end of a process waits for the steps that run: a container gets 10 s in all

QUEUES = {function.__name__: queue for function, queue in KINDS.values()}


class JobRuntime:
    """The jobs of one process; ``start`` and ``close`` it once. Its methods are safe for threads."""

    def __init__(self, goldfold: Goldfold) -> None:
        self._goldfold = goldfold
        self._folder = goldfold.settings.data_dir / "executors"
        self._slot: ExecutorSlot | None = None
        self._engine: sa.Engine | None = None
        self._stop = threading.Event()
        self._submitting = threading.Lock()
        self._beat = threading.Thread(target=self._heartbeat, name="goldfold-heartbeat", daemon=True)

    def start(self) -> None:
        """Take an executor slot, bind the jobs, recover what this slot left unfinished, and begin what a promotion owes
        (``api.jobs.rescoring``). Raises StoreError when the jobs' database or the slots cannot be used."""
        try:
            self._slot = ExecutorSlot.take(self._folder, self._goldfold.settings.executor_id)
            self._engine = jobs_engine(self._goldfold.jobs_url)
            self._goldfold.ledger.executors.beat(self._slot.executor_id)  # known before it has anything to leave behind
            with self._plain_errors():
                self._launch(self._slot, self._engine)
            begin_owed(self._goldfold, self.submit)
        except BaseException:
            self.close()
            raise
        self._beat.start()

    def close(self) -> None:
        """Stop taking jobs, and give the steps that run ``GRACE_S`` to end. Jobs that are not done go on in the next
        process of this slot, or in any other one when this one's heartbeat has stopped for ``DEAD_AFTER_S``.

        A step that outlives its grace keeps the slot, which then ends with the process: nobody repeats it before.
        """
        self._stop.set()
        STEPS.close()
        if self._beat.is_alive():
            self._beat.join(timeout=2 * BEAT_S)
        DBOS.destroy(workflow_completion_timeout_sec=0 if STEPS.idle() else int(GRACE_S))
        if not STEPS.idle():
            log.warning("steps_still_run", hint="they end with the process, and are done again after it")
            return
        if self._engine is not None:
            self._engine.dispose()
        if self._slot is not None:
            self._slot.release()

    def check(self) -> None:
        """Raises JobError when this process does no jobs (any more), or the jobs' database fails."""
        if not self._beat.is_alive():
            raise JobError("the jobs of this process have ended; start it again")
        with self._plain_errors():
            DBOS.list_workflows(limit=1, load_input=False, load_output=False)

    def submit(self, kind: str, job_id: str, request: Json) -> Job:
        """Start a job, or go on with the one that has this id. Raises JobConflict when it means something else, and
        InvalidInput for an id that is none."""
        check_id(job_id)
        with self._submitting, self._plain_errors():
            self._submit(kind, job_id, request)
        return self.get(job_id)

    def get(self, job_id: str) -> Job:
        """The job as it stands. Raises JobUnknown."""
        with self._plain_errors():
            status = DBOS.get_workflow_status(job_id)
            if status is None:
                raise JobUnknown(f"no job has the id {job_id!r}")
            return _job(status)

    def all(self, limit: int = 50) -> list[Job]:
        """The newest jobs first."""
        with self._plain_errors():
            return [_job(status) for status in DBOS.list_workflows(limit=limit, sort_desc=True)]

    def cancel(self, job_id: str) -> Job:
        """Cancel a job at its next step; the same id submitted again goes on from there."""
        self.get(job_id)
        with self._plain_errors():
            DBOS.cancel_workflow(job_id)
        return self.get(job_id)

    def again(self, job_id: str) -> Job:
        """Go on with a job that failed or was cancelled, as it was asked the first time. Raises JobUnknown, and
        JobConflict where it runs or is done."""
        if self.get(job_id).state not in ("failed", "cancelled"):
            raise JobConflict(f"job {job_id!r} neither failed nor was cancelled: there is nothing to go on with")
        with self._submitting, self._plain_errors():
            status = DBOS.get_workflow_status(job_id)
            if status is None:
                raise JobUnknown(f"no job has the id {job_id!r}")
            (request,) = _input(status)
            self._submit(status.name.rstrip("_"), job_id, request)
        return self.get(job_id)

    def forget(self, job_id: str) -> None:
        """Drop the record of a job that ended."""
        if self.get(job_id).state in ENDED:
            with self._plain_errors():
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

    def _launch(self, slot: ExecutorSlot, engine: sa.Engine) -> None:
        workflows.bind(self._goldfold)
        DBOS(
            config={
                "name": "goldfold",
                "system_database_engine": engine,
                "system_database_url": self._goldfold.jobs_url,
                "serializer": DBOSPortableJSONSerializer(),
                "executor_id": slot.executor_id,
                "application_version": APPLICATION_VERSION,
                "log_level": "CRITICAL",  # failures reach the caller as JobFailed, and the log from there
                "notification_listener_polling_interval_sec": 0.1,
            }
        )
        DBOS.launch()
        for queue in (HEAVY, SYNC, REMOTE, MIRROR, MAP):
            DBOS.register_queue(queue, global_concurrency=1, polling_interval_sec=0.1)

    def _submit(self, kind: str, job_id: str, request: Json) -> None:
        function, queue = KINDS[kind]
        status = DBOS.get_workflow_status(job_id)
        if status is None:
            try:
                with SetWorkflowID(job_id):
                    DBOS.enqueue_workflow(queue, function, request)
            except dbos_errors.DBOSConflictingWorkflowError as error:
                raise _taken(job_id) from error
            status = DBOS.get_workflow_status(job_id)  # another process may have been first, with another request
        if status is None or status.name != function.__name__ or _input(status) != (request,):
            raise _taken(job_id)
        if status.status == "ERROR":
            self._rewind(job_id, queue)
        elif status.status in ("CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED") or _unrecorded(status) is not None:
            self._resume(job_id, queue)

    def _rewind(self, job_id: str, queue: str) -> None:
        RUNS.forget(job_id)
        try:
            DBOS.rewind_workflow(job_id, start_step=self._failed_step(job_id), queue_name=queue)
        except dbos_errors.DBOSException:
            if self.get(job_id).state == "failed":
                raise
            log.info("job_goes_on_already", job=job_id)  # another process was first

    def _failure(self, job_id: str) -> JobFailed:
        status = DBOS.get_workflow_status(job_id)
        unrecorded = None if status is None else _unrecorded(status)
        if unrecorded is not None:
            return JobFailed(unrecorded, StoreError.__name__)
        error = None if status is None else status.error
        if isinstance(error, PortableWorkflowError):
            return JobFailed(error.message, error.name)
        if error is None:
            message = f"job {job_id!r} was given up: the process died too often under it; start it again to go on"
            return JobFailed(message, "MaxRecoveryAttemptsExceeded")
        return JobFailed(str(error), type(error).__name__)

    def _failed_step(self, job_id: str) -> int:
        failed = [step["function_id"] for step in DBOS.list_workflow_steps(job_id) if step["error"] is not None]
        return min(failed, default=1)

    def _heartbeat(self) -> None:
        while not self._stop.wait(BEAT_S):
            try:
                self._one_beat()
                self._go_on()
                begin_owed(self._goldfold, self.submit)  # of a process that died, or that runs no jobs
            except LabelingError as error:
                log.warning("heartbeat_failed", error=str(error))
            except Exception:  # whatever it was: without a heartbeat others would take over jobs that run here
                log.exception("heartbeat_failed")

    def _one_beat(self) -> None:
        if self._slot is None:
            raise JobError("a runtime without a slot has no heartbeat")
        executors = self._goldfold.ledger.executors
        executors.beat(self._slot.executor_id)
        for dead in executors.dead(DEAD_AFTER_S):
            # A process on this machine that holds its slot lives, however late its heartbeat is.
            slot = ExecutorSlot.claim(self._folder, dead)
            if slot is not None:
                with slot:
                    self._take_over(dead)
                    executors.remove(dead)

    def _go_on(self) -> None:
        """Take up again the jobs that ended here without a trace, as soon as their database takes writes."""
        with self._plain_errors():
            for job_id in RUNS.all():
                status = DBOS.get_workflow_status(job_id)
                if status is None or status.status != "PENDING":
                    RUNS.forget(job_id)
                elif _unrecorded(status) is not None:
                    self._resume(job_id, QUEUES[status.name])
                    log.info("job_goes_on", job=job_id)

    def _resume(self, job_id: str, queue: str) -> None:
        DBOS.resume_workflow(job_id, queue_name=queue)
        RUNS.forget(job_id)

    def _plain_errors(self) -> AbstractContextManager[None]:
        return plain_errors(self._goldfold.jobs_url)

    def _take_over(self, executor_id: str) -> None:
        for status in DBOS.list_workflows(status="PENDING", executor_id=[executor_id]):
            log.info("job_taken_over", job=status.workflow_id, of=executor_id)
            DBOS.resume_workflow(status.workflow_id, queue_name=QUEUES.get(status.name))


def _unrecorded(status: WorkflowStatus) -> str | None:
    """Why a job that ended here still looks as if it ran; None when it runs, or ended as it should."""
    if status.status != "PENDING" or status.executor_id != DBOS.executor_id:
        return None
    said = RUNS.ended(status.workflow_id, UNRECORDED_S)
    return said if said != "" else "the jobs' database did not take this job's end: check its disk, then start it again"


def _taken(job_id: str) -> JobConflict:
    return JobConflict(f"the job id {job_id!r} is taken by another job; choose another id")


def _input(status: WorkflowStatus) -> tuple[Any, ...]:
    return tuple((status.input or {"args": ()})["args"])


def _job(status: WorkflowStatus) -> Job:
    states = {"ENQUEUED": "queued", "DELAYED": "queued", "PENDING": "running", "SUCCESS": "done"}
    state = states.get(status.status, "cancelled" if status.status == "CANCELLED" else "failed")
    unrecorded = _unrecorded(status)
    if unrecorded is not None:
        state = "failed"
    progress: Any = DBOS.get_event(status.workflow_id, "progress", timeout_seconds=0)
    return Job(
        job_id=status.workflow_id,
        kind=status.name.rstrip("_"),
        state=state,
        progress=last_tick(status.workflow_id) or progress or {},
        result=status.output if state == "done" else None,
        error=unrecorded or (str(status.error) if status.error is not None else None),
        created_at_s=(status.created_at or 0) / 1000,
        updated_at_s=(status.updated_at or 0) / 1000,
    )
