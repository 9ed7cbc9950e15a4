"""What the steps of a fine-tuning do: a part of it, as long as a cancelled job may take to end."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from time import monotonic
from typing import Any

from api.composition import Goldfold
from api.jobs.progress import forget, tick
from api.jobs.running import STEPS

Json = dict[str, Any]
FINETUNE_STEP_S = 300.0  # a step ends with the optimizer step in which it gets as old
SHOWN = ("loss", "dev_loss", "dev_auprc")


def finetune(goldfold: Goldfold, job_id: str, request: Json) -> Json:
    """Train for about ``FINETUNE_STEP_S``, from the last checkpoint on; ``finished`` when the candidate is registered.
    ``figures``: the newest loss, and what dev said."""
    until, newest = monotonic() + FINETUNE_STEP_S, {}

    def watch(done: int, total: int, figures: Mapping[str, float]) -> None:
        newest.update({name: figures[name] for name in SHOWN if name in figures})
        tick(job_id, "train", done, total, **newest)

    try:
        tuned = import_module("api.finetuning").finetune(
            goldfold, request, watch, lambda: monotonic() >= until or not STEPS.is_open
        )
    finally:
        forget(job_id)
    said: Json = {"done": tuned.step, "total": tuned.steps, "figures": newest, "finished": tuned.trained is not None}
    if tuned.trained is not None:
        said |= {"version": tuned.trained.model.version, "report": tuned.trained.report}
    return said
