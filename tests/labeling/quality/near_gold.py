"""What the cosine to the nearest golden text says of a text's label, on the real labelled sets. docs/quality.md has
what ``python -m tests.labeling.quality.near_gold`` prints; no text of a set is printed.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.learning_sets import embeddings
from tests.realdata import data_dir

STEPS = (-1.0, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.01)
GOLD, DRAWS = 0.1, 10  # the share of the texts that plays gold, drawn by chance so many times
F32 = npt.NDArray[np.float32]
Labels = npt.NDArray[np.str_]
SETS: dict[str, Callable[[dict[str, Any]], str | None]] = {
    "tweets": lambda row: str(row["label"]),
    "hatecheck": lambda row: str(row["label"]),
    "moderation": lambda row: str(row["labels"]["sexual"]) if "sexual" in row["labels"] else None,
}


@dataclass(frozen=True, slots=True)
class Band:
    """Of the texts whose nearest gold lies at ``low`` <= cosine < ``high``: their ``share`` of all, how many they are
    in a draw, and the share that has the label of that gold: over all draws, and the least and most of one draw."""

    low: float
    high: float
    share: float
    texts: float
    same: float
    least: float
    most: float


def bands(vectors: F32, labels: Labels, draws: int = DRAWS) -> list[Band]:
    """For unit ``vectors`` (n, d) and ``labels`` (n,)."""
    drawn = [_drawn(vectors, labels, seed) for seed in range(draws)]
    return [_band(drawn, low, high) for low, high in pairwise(STEPS)]


def chance(labels: Labels) -> float:
    """How likely two texts have the same label."""
    return float(((np.unique(labels, return_counts=True)[1] / len(labels)) ** 2).sum())


def read(path: Path, label: Callable[[dict[str, Any]], str | None], every: int = 1) -> tuple[list[str], Labels]:
    """Texts and labels of every so many rows of a set, without those that have no label."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines][::every]
    told = [(str(row["text"]), name) for row in rows if (name := label(row)) is not None]
    return [text for text, _ in told], np.array([name for _, name in told])


def _drawn(vectors: F32, labels: Labels, seed: int) -> tuple[F32, npt.NDArray[np.bool_]]:
    """(cosine to the nearest gold, whether it has the same label) of the texts that are not gold."""
    order = np.random.default_rng(seed).permutation(len(labels))
    gold, rest = np.split(order, [round(GOLD * len(labels))])
    products = vectors[rest] @ vectors[gold].T
    place = products.argmax(axis=1)
    return products[np.arange(len(rest)), place], labels[rest] == labels[gold][place]


def _band(drawn: list[tuple[F32, npt.NDArray[np.bool_]]], low: float, high: float) -> Band:
    parts = [same[(cosine >= low) & (cosine < high)] for cosine, same in drawn]
    found = np.concatenate(parts)
    each = [float(part.mean()) for part in parts if len(part)] or [float("nan")]
    whole = sum(len(same) for _, same in drawn)
    said = float(found.mean()) if len(found) else float("nan")
    return Band(low, high, len(found) / whole, len(found) / len(drawn), said, min(each), max(each))


def lines(name: str) -> Iterator[str]:
    """The table of one set."""
    texts, labels = read(data_dir() / f"{name}.jsonl.gz", SETS[name])
    rows = embeddings(texts)
    vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    yield f"{name}: {len(texts)} texts, {GOLD:.0%} gold, {DRAWS} draws; two texts by chance: {chance(labels):.3f}"
    for band in bands(vectors, labels):
        yield (
            f"  {band.low:5.2f} to {band.high:4.2f}: share {band.share:.3f}, {band.texts:8.1f} texts, "
            f"same {band.same:.3f} ({band.least:.3f} to {band.most:.3f})"
        )


if __name__ == "__main__":
    list(map(partial(print, flush=True), (line for name in SETS for line in lines(name))))
