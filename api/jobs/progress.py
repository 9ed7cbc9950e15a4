"""Progress inside a running step. It lives in memory only: after a restart the step says it anew."""

from __future__ import annotations

import threading

_lock = threading.Lock()
_ticks: dict[str, dict[str, object]] = {}


def tick(job_id: str, stage: str, done: int, total: int, **figures: float) -> None:
    """Say how far the step that runs now has come; ``figures``: what it measures meanwhile, such as a loss."""
    with _lock:
        _ticks[job_id] = {"stage": stage, "done": done, "total": total, **figures}


def last_tick(job_id: str) -> dict[str, object]:
    """The newest tick of a job of this process, or nothing."""
    with _lock:
        return dict(_ticks.get(job_id, {}))


def forget(job_id: str) -> None:
    """Drop the ticks of a job that ended."""
    with _lock:
        _ticks.pop(job_id, None)
