"""What a model looks like in MLflow, and what the ledger knows of what is there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Portrait:
    """A model as MLflow is to show it: figures, hashes and names, never content.

    ``name``: of the registered model, one a family. ``params`` never change once a run has them, so only what a model
    is made of is there; ``tags`` and ``metrics`` may. ``alias``: "champion", or "" for none."""

    model_id: str
    name: str
    description: str
    created_at_ms: int
    params: dict[str, str]
    metrics: dict[str, float]
    tags: dict[str, str]
    alias: str


@dataclass(frozen=True, slots=True)
class MirrorRow:
    """How a model's mirror at ``url`` stands. ``digest``: the SHA-256 (hex) of what the ledger said when it was last
    mirrored, "" never; ``run_id`` and ``version`` name it there. ``error``: why the newest attempt, ``at``, failed."""

    url: str
    model_id: str
    digest: str
    run_id: str
    version: str
    error: str
    at: datetime


class Mirrors(Protocol):
    """How far the registry is mirrored elsewhere."""

    def at(self, url: str) -> dict[str, MirrorRow]:
        """How each model stands at a server, by model id."""

    def put(self, row: MirrorRow) -> None:
        """Insert, or replace the row of that server and model."""
