"""The sweep of Label Studio while the service runs: every ``sync_interval_s``, and at once when a webhook says so.

The sweep alone suffices; a webhook only makes it come sooner.
"""

from __future__ import annotations

import threading

import structlog

from api.ids import new_id
from api.jobs.errors import JobError
from api.jobs.records import ENDED
from api.jobs.runtime import JobRuntime

log = structlog.get_logger(__name__)

SETTLE_DOWN_S = 2.0  # hints that come together make one sweep


class Sweep:
    """One background thread; ``hint`` from any thread."""

    def __init__(self, runtime: JobRuntime, interval_s: float) -> None:
        self._runtime = runtime
        self._interval_s = interval_s
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._last_failure = ""
        self._thread = threading.Thread(target=self._run, name="goldfold-sweep", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def hint(self) -> None:
        """Something changed in Label Studio: pull now."""
        self._wake.set()

    def check(self) -> None:
        """Raises JobError when the sweep has ended."""
        if not self._thread.is_alive():
            raise JobError("the sweep of Label Studio has ended; start the service again")

    def close(self) -> None:
        """End the thread; a sweep under way goes on as a job."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def _run(self) -> None:
        while not self._stop.is_set():
            hinted = self._wake.wait(self._interval_s)
            if hinted:
                self._stop.wait(SETTLE_DOWN_S)
            self._wake.clear()
            if self._stop.is_set():
                return
            try:
                self._sweep(new_id("sync"))
            except Exception:  # whatever it was: the next sweep may do better, and must come
                log.exception("sweep_failed")

    def _sweep(self, job_id: str) -> None:
        self._runtime.submit("sync", job_id, {"full": False})
        job = None
        for job in self._runtime.follow(job_id, self._stop):
            log.debug("sweep", job=job_id, state=job.state, progress=job.progress)
        if job is None or job.state not in ENDED:
            return  # the process ends; the job goes on in the next one
        failure = job.error or "" if job.state == "failed" else ""
        if failure:
            log.warning("sweep_failed", job=job_id, error=failure)
        found = job.result is not None and any(job.result[key] for key in ("events", "settled", "sent", "closed"))
        if not found and failure == self._last_failure:
            self._runtime.forget(job_id)  # found nothing, or failed as the one before: not worth a row
        self._last_failure = failure
