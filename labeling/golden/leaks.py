"""Would training on these items tell the model the exam questions?

A leak is a training item that is an evaluation item (sealed, anchor, dev, calibration) or a near-duplicate of one: same
item, same group, equal text, equal normalised text, or close embeddings. Partition by group prevents leaks when items
are folded in; this check proves it again whenever training material leaves the golden set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from labeling.errors import LeakError
from labeling.golden.partition import DUPLICATE_COSINE
from labeling.golden.text import bones_hash
from labeling.golden.vectors import F32, Vectors, close_pairs, no_vectors, unit
from labeling.records import GoldenItem, Partition

EVALUATION = (Partition.SEALED, Partition.ANCHOR, Partition.DEV, Partition.CALIBRATION)
_NAMED = 10  # pairs named in a message


@dataclass(frozen=True, slots=True, order=True)
class Leak:
    """A training item and the evaluation item it gives away; ``how`` says what they share."""

    train_id: str
    evaluation_id: str
    partition: Partition
    how: str


_KEYS: tuple[tuple[str, Callable[[GoldenItem], str]], ...] = (
    ("same item", lambda item: item.item_id),
    ("same text", lambda item: item.content_hash),
    ("same text after normalisation", lambda item: bones_hash(item.text) if item.text else ""),
    ("same near-duplicate group", lambda item: item.group_id),
)


def find_leaks(
    training: Iterable[GoldenItem],
    evaluation: Iterable[GoldenItem],
    vectors: Vectors = no_vectors,
    cosine: float = DUPLICATE_COSINE,
) -> list[Leak]:
    """Every leaking pair once, under the strongest thing they share, sorted by ids."""
    ours = list({item.item_id: item for item in training}.values())
    theirs = list({item.item_id: item for item in evaluation}.values())
    found: dict[tuple[str, str], Leak] = {}
    for how, key in _KEYS:
        by_key: dict[str, list[GoldenItem]] = {}
        for exam in theirs:
            by_key.setdefault(key(exam), []).append(exam)
        for lesson in ours:
            for exam in by_key.get(key(lesson) or "-", []):
                _note(found, lesson, exam, how)
    for lesson, exam in _close(ours, theirs, vectors, cosine):
        _note(found, lesson, exam, f"embeddings closer than {cosine:g}")
    return sorted(found.values())


def refuse_leaks(
    training: Iterable[GoldenItem],
    evaluation: Iterable[GoldenItem],
    vectors: Vectors = no_vectors,
    cosine: float = DUPLICATE_COSINE,
) -> None:
    """Raise LeakError naming the pairs (ids, never content), if there are any."""
    leaks = find_leaks(training, evaluation, vectors, cosine)
    if leaks:
        named = "; ".join(f"{x.train_id} gives away {x.evaluation_id} ({x.partition}, {x.how})" for x in leaks[:_NAMED])
        more = f"; and {len(leaks) - _NAMED} more" if len(leaks) > _NAMED else ""
        raise LeakError(
            f"training items leak evaluation items in {len(leaks)} pairs: {named}{more}. "
            "Fold again so that their groups merge, and publish a new version"
        )


def _note(found: dict[tuple[str, str], Leak], lesson: GoldenItem, exam: GoldenItem, how: str) -> None:
    pair = (lesson.item_id, exam.item_id)
    found.setdefault(pair, Leak(*pair, exam.partition, how))


def _close(
    ours: Sequence[GoldenItem], theirs: Sequence[GoldenItem], vectors: Vectors, cosine: float
) -> list[tuple[GoldenItem, GoldenItem]]:
    lessons, left = _embedded(ours, vectors)
    exams, right = _embedded(theirs, vectors)
    if not lessons or not exams:
        return []
    return [(lessons[i], exams[j]) for i, j in close_pairs(left, right, cosine)]


def _embedded(items: Sequence[GoldenItem], vectors: Vectors) -> tuple[list[GoldenItem], F32]:
    found = vectors([item.item_id for item in items])
    there = [item for item in items if item.item_id in found]
    if not there:
        return [], np.empty((0, 0), dtype=np.float32)
    return there, unit(np.stack([found[item.item_id] for item in there]))
