"""The sweep of Label Studio while the service runs: every ``sync_interval_s``, and at once when a webhook says so.

The sweep alone suffices; a webhook only makes it come sooner.
"""

from __future__ import annotations

import threading

import structlog

from api.ids import new_id
from api.jobs.errors import JobError
from api.jobs.runtime import JobRuntime
from labeling.errors import LabelingError

log = structlog.get_logger(__name__)

SETTLE_DOWN_S = 0.5  # hints that come together make one sweep


class Sweep:
    """One background thread; ``hint`` from any thread."""

    def __init__(self, runtime: JobRuntime, interval_s: float) -> None:
        self._runtime = runtime
        self._interval_s = interval_s
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="goldfold-sweep", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def hint(self) -> None:
        """Something changed in Label Studio: pull now."""
        self._wake.set()

    def close(self) -> None:
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
            if not self._stop.is_set():
                self._sweep()

    def _sweep(self) -> None:
        job_id = new_id("sync")
        try:
            self._runtime.submit("sync", job_id, {"full": False})
            result = self._runtime.result(job_id, stop=self._stop)
        except (JobError, LabelingError) as error:
            log.warning("sweep_failed", job=job_id, error=str(error))
            return
        if not any(result[key] for key in ("events", "settled", "sent", "closed")):
            self._runtime.forget(job_id)  # a sweep that found nothing is not worth a row
