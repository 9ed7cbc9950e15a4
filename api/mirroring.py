"""The registry's mirror while the service runs: whenever a model has moved, a job brings the mirror up to date."""

from __future__ import annotations

import threading

import structlog

from api.composition import Goldfold
from api.ids import new_id
from api.jobs.runtime import JobRuntime
from api.registry_mirror import mirror_behind

log = structlog.get_logger(__name__)

LONGEST_WAIT_S = 600.0


class MirrorWatch:
    """One background thread. A mirror that fails is tried again after twice as long each time, up to
    ``LONGEST_WAIT_S``."""

    def __init__(self, goldfold: Goldfold, runtime: JobRuntime, interval_s: float) -> None:
        self._goldfold = goldfold
        self._runtime = runtime
        self._interval_s = interval_s
        self._last_error = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="goldfold-mirror", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """End the thread; a job under way goes on."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def _run(self) -> None:
        wait_s = self._interval_s
        while not self._stop.wait(wait_s):
            try:
                error = self._look()
            except Exception:  # whatever it was: the next look may do better, and must come
                log.exception("mirror_failed")
                error = "unexpected"
            wait_s = min(LONGEST_WAIT_S, 2 * wait_s) if error else self._interval_s

    def _look(self) -> str:
        """Mirror what is behind; why that failed, "" when it did not."""
        if not mirror_behind(self._goldfold):
            return ""
        job_id, job = new_id("mirror"), None
        self._runtime.submit("mirror", job_id, {})
        for job in self._runtime.follow(job_id, self._stop):
            log.debug("mirror", job=job_id, state=job.state)
        error = "" if job is None else job.error or str((job.result or {}).get("error", ""))
        if error:
            log.warning("mirror_failed", job=job_id, error=error)
            if error == self._last_error:
                self._runtime.forget(job_id)  # failed as the one before: not worth a row
        self._last_error = error
        return error
