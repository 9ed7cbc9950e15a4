"""What runs in this process now: steps, one at a time for each job and none once the process ends its work, and jobs,
whose end may not have reached their database.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stopped(BaseException):
    """This process takes no more steps. Not an Exception: nothing may record it as the failure of the job, which goes
    on in the next process."""


class Steps:
    """A gate that every step passes. Safe for threads.

    A job that was cancelled and started again may still be inside its old step: the new run waits for that one, so
    that no step meets itself.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._jobs: set[str] = set()
        self._open = False

    def open(self) -> None:
        """Let steps run from now on."""
        with self._changed:
            self._open = True

    @property
    def is_open(self) -> bool:
        """May steps go on? A long one asks now and then, and ends early when not."""
        with self._changed:
            return self._open

    def close(self) -> None:
        """Let no step start from now on; those that run, run to their end."""
        with self._changed:
            self._open = False
            self._changed.notify_all()

    @contextmanager
    def one(self, job_id: str) -> Iterator[None]:
        """Run a step of this job in the block, when no other step of it runs. Raises Stopped."""
        with self._changed:
            self._changed.wait_for(lambda: not self._open or job_id not in self._jobs)
            if not self._open:
                raise Stopped(job_id)
            self._jobs.add(job_id)
        try:
            yield
        finally:
            with self._changed:
                self._jobs.discard(job_id)
                self._changed.notify_all()

    def pause(self, seconds: float) -> None:
        """Wait between two tries of a step. Raises Stopped as soon as no step may start any more."""
        with self._changed:
            if self._changed.wait_for(lambda: not self._open, seconds):
                raise Stopped

    def idle(self, timeout_s: float = 0.0) -> bool:
        """Wait until no step runs; False when one still does after ``timeout_s``."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._jobs, timeout_s)


class Runs:
    """The jobs that this process has run, and why each ended. Safe for threads.

    DBOS writes a job's end down when the job has ended; on a full disk it cannot, and says so to nobody: the job would
    look as if it ran, for ever.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ended: dict[str, tuple[float, str]] = {}

    @contextmanager
    def one(self, job_id: str) -> Iterator[None]:
        """Run a job in the block. Stopped is no end: the next process goes on."""
        with self._lock:
            self._ended.pop(job_id, None)
        try:
            yield
        except Exception as error:
            self._end(job_id, str(error))
            raise
        self._end(job_id, "")

    def ended(self, job_id: str, ago_s: float) -> str | None:
        """What the job's last run here said at its end, when that was ``ago_s`` ago or longer; None when it was not."""
        with self._lock:
            at, said = self._ended.get(job_id, (float("inf"), ""))
        return said if time.monotonic() - at >= ago_s else None

    def _end(self, job_id: str, said: str) -> None:
        with self._lock:
            self._ended[job_id] = (time.monotonic(), said)

    def forget(self, job_id: str) -> None:
        """Its end is written down, or it is to run again."""
        with self._lock:
            self._ended.pop(job_id, None)

    def clear(self) -> None:
        """Another installation's jobs run from now on."""
        with self._lock:
            self._ended.clear()

    def all(self) -> list[str]:
        """The jobs that ended here and were not forgotten."""
        with self._lock:
            return list(self._ended)


STEPS = Steps()  # of this process, as DBOS' own registry is
RUNS = Runs()
