"""Made items for the near-duplicate tests, and the slow way to group them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from selection.near.bones import letters
from selection.near.buckets import U64
from selection.near.grouping import Closeness
from selection.near.index import Items, NearDuplicates
from selection.near.shingles import GRAM
from selection.types import F32


@dataclass
class Kept:
    """What a lake would hold of items; it counts what it is asked to read."""

    held: dict[str, str] = field(default_factory=dict)
    embedded: dict[str, F32] = field(default_factory=dict)
    read: int = 0

    def texts(self, ids: Sequence[str]) -> list[str]:
        self.read += len(ids)
        return [self.held[item_id] for item_id in ids]

    def vectors(self, ids: Sequence[str]) -> F32:
        self.read += len(ids)
        return np.stack([self.embedded[item_id] for item_id in ids])


def named(n: int, start: int = 0) -> list[str]:
    return [f"item-{number:05d}" for number in range(start, start + n)]


def grown(
    texts: Sequence[str] | None = None,
    vectors: F32 | None = None,
    pictures: U64 | None = None,
    *,
    cuts: Sequence[int] = (),
    closeness: Closeness | None = None,
) -> tuple[NearDuplicates, Kept]:
    """An index that was given the items in batches that end at ``cuts``, and the lake behind it."""
    n = next(len(signal) for signal in (texts, vectors, pictures) if signal is not None)
    ids, index, kept = named(n), NearDuplicates(closeness), Kept()
    if texts is not None:
        kept.held = dict(zip(ids, texts, strict=True))
    if vectors is not None:
        kept.embedded = dict(zip(ids, vectors, strict=True))
    edges = [0, *sorted(cuts), n]
    for start, end in pairwise(edges):
        part = slice(start, end)
        index.add(
            Items(
                ids[part],
                None if texts is None else texts[part],
                None if vectors is None else vectors[part],
                None if pictures is None else pictures[part],
            ),
            kept,
        )
    return index, kept


def by_hand(n: int, close: Callable[[int, int], bool]) -> list[int]:
    """Connected components by comparing all with all; a label is the smallest row."""
    labels = list(range(n))
    for i in range(n):
        for j in range(i):
            if close(i, j) and labels[i] != labels[j]:
                old, new = max(labels[i], labels[j]), min(labels[i], labels[j])
                labels = [new if label == old else label for label in labels]
    return labels


def shared(one: str, two: str) -> float:
    """Jaccard similarity of the shingles of two texts, by sets."""
    left, right = _runs(letters(one)), _runs(letters(two))
    return len(left & right) / len(left | right)


def _runs(form: str) -> set[str]:
    return {form[i : i + GRAM] for i in range(max(1, len(form) - GRAM + 1))}
