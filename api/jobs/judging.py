"""What the steps of a judging job do: judge a scorer, or ask a remote judge for as long as a cancelled job may take to
end."""

from __future__ import annotations

from time import monotonic
from typing import Any

from api.composition import Goldfold
from api.jobs.progress import forget, tick
from api.jobs.running import STEPS
from api.judges import ENDPOINT, Run, judge_as_asked
from labeling.errors import AnswersLeft

Json = dict[str, Any]
ASK_STEP_S = 60.0  # then a step ends, and what was answered is kept


def judge(goldfold: Goldfold, job_id: str, request: Json, began_s: float | None = None) -> Json:
    """``told``: figures or a verdict, or None where a remote judge has questions left; ``done`` of ``total`` answers.
    ``began_s``: when this process began to ask it."""
    newest, asks_since_s = [0, 1], list[float]()
    stage = "ask" if request["kind"] == ENDPOINT else "judge"

    def watch(done: int, total: int) -> None:
        newest[:] = [done, total]
        asks_since_s.append(monotonic())
        tick(job_id, stage, done, total)

    def is_over() -> bool:
        late = bool(asks_since_s) and monotonic() - asks_since_s[0] >= ASK_STEP_S
        return late or not STEPS.is_open

    try:
        told = judge_as_asked(goldfold, request, Run(watch, began_s, is_over))
    except AnswersLeft as left:
        if not left.is_paused:
            raise
        told = None
    finally:
        forget(job_id)
    return {"told": told, "done": newest[0], "total": newest[1]}
