"""Which settled labels look wrong? Confident learning, and what the neighbours say.

The score of a label is the sum of two numbers, each from 0 to 1, 2 being the most suspect:

- **Doubt** = 1 - the self-confidence, which is the probability of the label that was given, by a model that never saw
  the item nor a near-duplicate of it (``out_of_fold``).
- **Neighbours** = the share of the ``NEIGHBOURS`` nearest items by cosine that carry the other label.

A rare class is doubted more than a common one, as it should be: where labels are flipped by chance, most that say the
rare class are wrong. Beside the rank stands what confident learning says (Northcutt, Jiang and Chuang, JAIR 2021): with
t_c the mean probability of c over the items labelled c, a label is ``off_diagonal`` when the other class reaches its
own threshold, and by more than the given one does. Ranked by that normalised margin alone the tweets' flips are found
less well. Labels are independent by policy; unknown ones are NaN and play no part.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import faiss
import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
FOLDS = 5
NEIGHBOURS = 10
PENALTY = 3.0  # scikit-learn's C, the default of the head (scoring.training)
LEAST = 10  # labels of either kind that a policy needs


@dataclass(frozen=True, slots=True)
class Suspicion:
    """One policy: ``rows`` (m,) of the labelled items, most suspect first; of each ``score``, ``probability`` (that it
    violates, out of fold), ``disagreeing`` (the share of its neighbours with the other label), ``neighbours`` (m, k)
    row numbers, nearest first, ``off_diagonal`` (m,)."""

    rows: Ints
    score: F64
    probability: F64
    disagreeing: F64
    neighbours: Ints
    off_diagonal: npt.NDArray[np.bool_]


def suspicion(embeddings: F32, labels: F64, groups: Sequence[str]) -> Suspicion | None:
    """``embeddings`` (n, d) float32 unit rows, ``labels`` (n,) 1 violates, 0 allowed, NaN unknown, ``groups`` (n,)
    near-duplicates. None where a policy has fewer than ``LEAST`` labels of either kind. Ties in row order."""
    rows = np.flatnonzero(~np.isnan(labels)).astype(np.int64)
    given = labels[rows].astype(np.int64)
    if min(given.sum(), len(given) - given.sum()) < LEAST:
        return None
    vectors = np.ascontiguousarray(embeddings[rows], dtype=np.float32)
    probability = out_of_fold(vectors, given, [groups[row] for row in rows])
    near = nearest(vectors, NEIGHBOURS)
    disagreeing = (given[near] != given[:, None]).mean(axis=1)
    score = np.where(given == 1, 1 - probability, probability) + disagreeing
    order = np.argsort(-score, kind="stable")
    off = off_diagonal(probability, given)
    return Suspicion(rows[order], score[order], probability[order], disagreeing[order], rows[near[order]], off[order])


def off_diagonal(probability: F64, given: Ints) -> npt.NDArray[np.bool_]:
    """(n,) whether confident learning counts each label as the other class; ``probability`` (n,) that it violates,
    ``given`` (n,) 0 or 1, both kinds there."""
    both = np.stack([1 - probability, probability], axis=1)
    thresholds = np.array([both[given == label, label].mean() for label in (0, 1)])
    above, rows = both - thresholds, np.arange(len(given))
    other = above[rows, 1 - given]
    return np.asarray((other >= 0) & (other > above[rows, given]), dtype=np.bool_)


def out_of_fold(vectors: F32, given: Ints, groups: Sequence[str]) -> F64:
    """(n,) the probability that each item violates, by a logistic regression that saw neither it nor a near-duplicate.
    A fold whose rest has one kind of label only gets that label's share."""
    fold = np.array([_fold(group) for group in groups], dtype=np.int64)
    told = np.full(len(given), float(given.mean()))
    with threadpool_limits(1):
        for number in np.unique(fold):
            learn, judge = fold != number, fold == number
            if 0 < given[learn].sum() < learn.sum():
                model = LogisticRegression(C=PENALTY, max_iter=1000).fit(vectors[learn], given[learn])
                told[judge] = model.predict_proba(vectors[judge])[:, 1]
    return told


def nearest(vectors: F32, count: int) -> Ints:
    """(n, k) the ``count`` other rows of largest cosine, fewer where there are no more. Exact."""
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    wanted = min(count, len(vectors) - 1)
    found = np.asarray(index.search(vectors, wanted + 1)[1], dtype=np.int64)
    mine = found == np.arange(len(vectors))[:, None]
    mine[~mine.any(axis=1), -1] = True  # equal rows crowded it out of its own list: leave the farthest out instead
    return np.asarray(found[~mine].reshape(len(vectors), wanted), dtype=np.int64)


def _fold(group: str) -> int:
    return int.from_bytes(hashlib.sha256(f"goldfold\0label errors\0{group}".encode()).digest()[:4], "big") % FOLDS
