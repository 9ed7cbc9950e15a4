"""Labelled tweets for benchmarks that need labels: real ones where the folder in GOLDFOLD_DATA_DIR has them, else made
ones."""

from __future__ import annotations

import gzip
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

FILE, LABEL = "tweets.jsonl.gz", "hate"
MADE = 8000


@dataclass(frozen=True, slots=True)
class Tweets:
    """Each text once, in a fixed shuffle; ``labels`` (n,): whether it is hate. ``kind``: "real" or "made"."""

    texts: list[str]
    labels: npt.NDArray[np.bool_]
    kind: str


def labelled_tweets() -> Tweets:
    """All there are; of texts that differ by case or spaces only, the first."""
    named = os.environ.get("GOLDFOLD_DATA_DIR")
    path = (Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data") / FILE
    found, kind = (_real(path), "real") if path.is_file() else (_made(), "made")
    rows = list({" ".join(text.lower().split()): (text, label) for text, label in reversed(found)}.values())
    order = np.random.default_rng(0).permutation(len(rows))
    return Tweets([rows[i][0] for i in order], np.array([rows[i][1] for i in order]), kind)


def _real(path: Path) -> list[tuple[str, bool]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [(str(row["text"]), row["label"] == LABEL) for row in map(json.loads, lines)]


def _made() -> list[tuple[str, bool]]:
    """Words without meaning; a text of the label has some of four words that are rare in others."""
    rng = np.random.default_rng(1)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    words = np.array(["".join(rng.choice(letters, rng.integers(2, 9))) for _ in range(2000)])
    rows = []
    for label in rng.random(MADE) < 0.06:
        marked = rng.choice(words[:4], 2).tolist() if label or rng.random() < 0.02 else []
        rows.append((" ".join(rng.choice(words, rng.integers(4, 12)).tolist() + marked), bool(label)))
    return rows
