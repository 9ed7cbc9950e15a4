"""The step that draws the map of the lake (``labeling.insights.embedding_map``)."""

from __future__ import annotations

from typing import Any

from api.composition import Goldfold
from api.jobs.progress import forget, tick
from api.jobs.running import STEPS
from labeling.insights.embedding_map import draw_map, in_process


def draw(goldfold: Goldfold, job_id: str) -> dict[str, Any]:
    """Draw it and keep it; counts. Ends early, to be done again, when the process does."""
    stores, lake, layout = goldfold.ledger, goldfold.lake, in_process(STEPS.pause)
    try:
        made = draw_map(
            stores,
            lake,
            goldfold.scorer(),
            goldfold.cache_dir,
            layout,
            tick=lambda done, of: tick(job_id, "map", done, of),
        )
    finally:
        forget(job_id)
    return {"points": len(made.ids), "of": made.of, "encoder": made.encoder}
