"""One goldfold process that can be told to die.

It runs one job to its end and writes the result. With a point it is killed with SIGKILL there: nothing gets a chance
to clean up, as in a power cut.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from api.composition import Goldfold
from api.jobs.runtime import JobRuntime
from api.requests import round_request
from configs.settings import load_settings
from labeling.scorebook import LakeScorer
from labeling.store.annotations import SqlAnnotations
from labeling.store.gap import LanceGap
from labeling.store.golden import SqlGolden
from labeling.store.projects import SqlProjects
from labeling.store.rounds import SqlRounds
from labeling.store.tasks import SqlTasks
from labeling.studio.client import StudioClient
from tests.integration.word_scorer import WordScorer

BUDGET = 12

# name -> (class, method, which call, before or after it)
POINTS: dict[str, tuple[type, str, int, str]] = {
    "plan recorded": (SqlRounds, "create", 1, "after"),
    "before embeddings": (LanceGap, "add", 1, "before"),
    "embeddings kept": (LanceGap, "add", 1, "after"),
    "scores kept": (LanceGap, "add", 2, "after"),
    "before picks": (SqlRounds, "record_selection", 1, "before"),
    "picks committed": (SqlRounds, "record_selection", 1, "after"),
    "project made, not recorded": (SqlProjects, "add", 1, "before"),
    "project recorded": (SqlProjects, "add", 1, "after"),
    "before sending": (SqlTasks, "mark_sending", 1, "before"),
    "sending recorded": (SqlTasks, "mark_sending", 1, "after"),
    "tasks posted, not recorded": (SqlTasks, "mark_sent", 1, "before"),
    "tasks recorded": (SqlTasks, "mark_sent", 1, "after"),
    "second project": (StudioClient, "create_project", 2, "after"),
    "before opening": (SqlRounds, "set_state", 1, "before"),
    "opened": (SqlRounds, "set_state", 1, "after"),
    "answers read, not recorded": (SqlAnnotations, "append", 1, "before"),
    "answers recorded": (SqlAnnotations, "append", 1, "after"),
    "before watermark": (SqlProjects, "set_watermark", 1, "before"),
    "before the second fold": (SqlGolden, "fold", 2, "before"),
    "first fold": (SqlGolden, "fold", 1, "after"),
    "dispute recorded": (SqlTasks, "add", 1, "after"),
}


class WordGoldfold(Goldfold):
    """Goldfold with a scorer that needs no weights."""

    def scorer(self, pinned: str | None = None) -> LakeScorer:
        return WordScorer(tuple(self.policies))


def die_at(point: str) -> None:
    """Arrange that this process is killed at a point."""
    owner, name, number, when = POINTS[point]
    real: Callable[..., Any] = getattr(owner, name)
    calls = 0

    def dying(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == number and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*args, **kwargs)
        if calls == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, dying)


def run_child(environment: dict[str, str], log: str, result: str, kind: str, job_id: str, point: str) -> None:
    """Be a goldfold process with this environment: run one job and write its result, or die at ``point``."""
    printed = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(printed, 1)
    os.dup2(printed, 2)
    for name in [name for name in os.environ if name.startswith("GOLDFOLD_")]:
        del os.environ[name]
    os.environ.update(environment)
    if point:
        die_at(point)
    Path(result).write_text(json.dumps(run_job(kind, job_id)))


def run_job(kind: str, job_id: str) -> dict[str, Any]:
    """Run one job of a kind under an id to its end."""
    goldfold = WordGoldfold(load_settings())
    runtime = JobRuntime(goldfold)
    runtime.start()
    given = {"round_id": job_id, "budget": BUDGET, "seed": 7, "lanes": {"random": 0.25, "risk": 0.25, "uncertain": 0.5}}
    request = round_request(goldfold.settings, given) if kind == "round" else {"full": False}
    runtime.submit(kind, job_id, request)
    result = runtime.result(job_id)
    runtime.close()
    goldfold.close()
    return result
