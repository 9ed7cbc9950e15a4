"""The scoring runs of this process, kept from one step of a job to the next so that the lake is planned once. They live
in memory only: after a restart the next step plans anew, from what the lake holds.
"""

from __future__ import annotations

import threading

from labeling.media_scorer import MediaScorer
from labeling.score_run import ScoreRun
from labeling.scorebook import LakeScorer
from labeling.store.interfaces import Lake


class ScoreRuns:
    """One run a job. Safe for threads; the steps of a job never meet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: dict[str, ScoreRun] = {}

    def of(self, job_id: str, lake: Lake, scorer: LakeScorer | MediaScorer, chunk_items: int) -> ScoreRun:
        """The job's run; a new one when it has none, or another model scores since. Only the newest is kept: scoring
        jobs run one at a time."""
        with self._lock:
            run = self._runs.get(job_id)
            if run is None or run.lake is not lake or run.scorer is not scorer:
                run = ScoreRun(lake, scorer, chunk_items)
                self._runs = {job_id: run}
            return run

    def forget(self, job_id: str) -> None:
        """The job has nothing left to score."""
        with self._lock:
            self._runs.pop(job_id, None)

    def clear(self) -> None:
        """Another installation's jobs run from now on."""
        with self._lock:
            self._runs.clear()


SCORE_RUNS = ScoreRuns()  # of this process
