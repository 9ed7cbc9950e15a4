"""The label-error queue: settled labels that look wrong, most suspect first (``labeling.quality.label_errors``).

Only gold of the partition ``train`` is looked at. Calibration and dev judge models: to mend there what a model doubts
would make the figures of that very model better than they are. Sealed and anchor answers are shown to nobody. Both the
model that doubts, fitted out of fold, and the neighbours come from ``train`` too.

A queue is made by the command line and kept as one file under the cache folder, because it takes fits that no request
should wait for. Whoever reads it gets the labels that still stand as they did, in ``train``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from labeling.errors import NothingToDo, StoreError
from labeling.golden.export import training_rows
from labeling.golden.vectors import LakeVectors, unit
from labeling.quality.label_errors import LEAST, Suspicion, suspicion
from labeling.records import GoldenItem
from labeling.store.interfaces import Golden, Lake
from labeling.training import label_matrix

SHOWN_NEIGHBOURS = 3
FILE = "label-errors.json"


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A near item of the same policy and its settled label."""

    external_id: str
    gold: str


@dataclass(frozen=True, slots=True)
class Suspect:
    """``rank`` from 1 within its policy. ``probability``: that it violates, by a model that never saw it;
    ``disagreeing``: the share of its neighbours with the other label, of which the nearest are told; ``off_diagonal``:
    confident learning counts it as wrong; ``score`` from 0 to 2."""

    rank: int
    item_id: str
    external_id: str
    policy: str
    policy_version: str
    gold: str
    probability: float
    disagreeing: float
    neighbours: tuple[Neighbour, ...]
    off_diagonal: bool
    score: float


@dataclass(frozen=True, slots=True)
class Suspects:
    """``labels``: how many labels of the policies that were ranked were looked at; ``skipped``: by policy, why it was
    not ranked; ``unembedded``: golden items left out because they have no embedding by this encoder."""

    suspects: tuple[Suspect, ...]
    labels: dict[str, int]
    skipped: dict[str, str]
    unembedded: int

    def as_dict(self) -> dict[str, object]:
        """JSON-able."""
        return asdict(self)


def suspects(golden: Golden, lake: Lake, encoder_version: str, policies: Sequence[str], *, limit: int = 50) -> Suspects:
    """The ``limit`` most suspect labels of each of ``policies``. Raises NothingToDo when ``train`` holds no usable
    label, or none with an embedding."""
    rows = [row for row in training_rows(golden.items()) if row.policy_id in policies]
    if not rows:
        raise NothingToDo("the golden set's train partition holds no usable label yet; label more first")
    vectors = LakeVectors(lake, f"embeddings-{encoder_version}")(sorted({row.item_id for row in rows}))
    known = [row for row in rows if row.item_id in vectors]
    if not known:
        raise NothingToDo("no golden item has an embedding by this encoder: run the score job first (goldfold score)")
    ids, labels = label_matrix(known, policies)
    matrix = unit(np.stack([vectors[item_id] for item_id in ids]))
    groups = {row.item_id: row.group_id for row in known}
    places = {(row.item_id, row.policy_id): row for row in known}
    found: list[Suspect] = []
    counts, skipped = {}, {}
    for j, policy in enumerate(policies):
        told = suspicion(matrix, labels[:, j].astype(np.float64), [groups[item_id] for item_id in ids])
        if told is None:
            skipped[policy] = f"fewer than {LEAST} labels that violate, or fewer than {LEAST} that do not"
            continue
        counts[policy] = len(told.rows)
        found += _listed(told, policy, ids, places, limit)
    return Suspects(tuple(found), counts, skipped, len({row.item_id for row in rows}) - len(ids))


def keep(found: Suspects, folder: Path, made_at: str) -> None:
    """Write the queue for ``kept``, whole or not at all. Raises StoreError."""
    path = folder / FILE
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps({"made_at": made_at, **found.as_dict()}), encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise StoreError(f"{path}: the queue cannot be written: {error.strerror or error}") from error


def kept(golden: Golden, folder: Path) -> dict[str, Any]:
    """The queue that was made last, without the labels that changed or left ``train`` since; ``stale``: how many these
    are. Raises NothingToDo when none was made, StoreError when the file cannot be read."""
    path = folder / FILE
    try:
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise NothingToDo("no queue of label errors was made yet: run goldfold golden errors") from error
    except (OSError, ValueError) as error:
        raise StoreError(f"{path}: the queue cannot be read; delete the file and run goldfold golden errors") from error
    now = {(row.item_id, row.policy_id): str(row.outcome) for row in training_rows(golden.items())}
    shown = {row.external_id for row in training_rows(golden.items())}
    standing = [one for one in told["suspects"] if now.get((one["item_id"], one["policy"])) == one["gold"]]
    for one in standing:
        one["neighbours"] = [near for near in one["neighbours"] if near["external_id"] in shown]
    return {**told, "suspects": standing, "stale": len(told["suspects"]) - len(standing)}


def _listed(
    told: Suspicion, policy: str, ids: Sequence[str], rows: dict[tuple[str, str], GoldenItem], limit: int
) -> list[Suspect]:
    found = []
    for place in range(min(limit, len(told.rows))):
        row = rows[ids[told.rows[place]], policy]
        near = [rows[ids[n], policy] for n in told.neighbours[place][:SHOWN_NEIGHBOURS]]
        found.append(
            Suspect(
                rank=place + 1,
                item_id=row.item_id,
                external_id=row.external_id,
                policy=policy,
                policy_version=row.policy_version,
                gold=str(row.outcome),
                probability=float(told.probability[place]),
                disagreeing=float(told.disagreeing[place]),
                neighbours=tuple(Neighbour(other.external_id, str(other.outcome)) for other in near),
                off_diagonal=bool(told.off_diagonal[place]),
                score=float(told.score[place]),
            )
        )
    return found
