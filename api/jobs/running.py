"""The steps that run in this process now: one at a time for each job, and none once the process ends its work."""

from __future__ import annotations

import threading
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


STEPS = Steps()  # of this process, as DBOS' own registry is
