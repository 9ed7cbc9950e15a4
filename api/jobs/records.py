"""A job as others see it. Apart from the runtime, so that showing one does not import DBOS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

ENDED = ("done", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Job:
    """``state``: queued, running, done, failed or cancelled; ``progress`` holds stage, done and total, and in a
    training its newest ``loss``, ``dev_loss`` and ``dev_auprc``; times in
    seconds since the epoch."""

    job_id: str
    kind: str
    state: str
    progress: Json
    result: Json | None
    error: str | None
    created_at_s: float
    updated_at_s: float
