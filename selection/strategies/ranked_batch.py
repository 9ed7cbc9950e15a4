"""modAL's ranked batch (Cardoso et al. 2017), pick for pick, without measuring every distance again for every pick."""

from __future__ import annotations

import math

import numpy as np

from selection.hashing import F64
from selection.strategies.base import Candidates, Chosen, Rows
from selection.strategies.pointwise import adjusted
from selection.strategies.shortlist import PAIRWISE, by_value, size
from selection.types import F16, F32

_DIGITS = 12  # scores that agree to this many are equal; the earlier row wins
_BATCH = 16  # stale distances that are measured anew at a time
_BLOCK = 1024  # rows at a time


def ranked_batch(candidates: Candidates, n: int, _: int) -> Chosen:
    """The item of the largest ``alpha (1 - similarity) + (1 - alpha) uncertainty`` with alpha = unlabelled / all, one
    after the other: first unlike what is labelled or chosen, then unsure as labels grow. Uncertainty at the operating
    threshold, relative to the largest severity."""
    p = adjusted(candidates.probabilities.astype(np.float64), candidates.thresholds)
    short = by_value(candidates, np.minimum(p, 1.0 - p), size(n, PAIRWISE))
    labelled = None if candidates.labelled is None else candidates.labelled.embeddings
    return short.chosen(rank(short.unit(), short.values / candidates.weights.max(), n, labelled), n)


def rank(vectors: F16 | F32, uncertainty: F64, n: int, labelled: F16 | F32 | None = None) -> Rows:
    """min(n, m) rows of ``vectors`` (m, d), as ``modAL.batch.ranked_batch`` with the Euclidean metric ranks them:
    similarity ``1 / (1 + distance to the nearest labelled or chosen)``; ``uncertainty`` (m,); ``labelled`` (l, d), and
    without it the first is the row of the least mean distance to all (that alone is O(m^2 d)).

    A distance only ever shrinks, so one measured earlier bounds the score from above and only rows at the top are
    measured again: O(m l d) for the labelled and, at worst, O(n m d) after."""
    points, n = vectors.astype(np.float64), min(n, len(vectors))
    lengths = _lengths(points)
    if labelled is None or len(labelled) == 0:
        first, known = [_central(points, lengths)], 1
        squared = _squared(points, lengths, points[first])
    else:
        first, known = [], len(labelled)
        squared = _squared(points, lengths, labelled.astype(np.float64))
    return _Ranking(points, lengths, uncertainty, squared, known, first).run(n)


class _Ranking:
    """``far`` (m,) is 1 - similarity to the first ``seen`` (m,) of the chosen, so at least the true one."""

    def __init__(self, points: F64, lengths: F64, uncertainty: F64, squared: F64, known: int, first: list[int]) -> None:
        self._points, self._lengths = points, lengths
        self._uncertainty, self._squared, self._known = uncertainty, squared, known
        self._far = _far(squared)
        self._order = list(first)
        self._seen = np.full(len(points), len(first))
        self._started = len(first)

    def run(self, n: int) -> Rows:
        while len(self._order) < n:
            # modAL counts the row of a cold start as labelled, yet leaves it in the pool
            labelled = self._known + len(self._order) - self._started
            unlabelled = len(self._points) - (len(self._order) - self._started)
            self._order.append(self._next(unlabelled / (unlabelled + labelled)))
        return np.array(self._order, dtype=np.int64)

    def _next(self, alpha: float) -> int:
        bounds = np.round(alpha * self._far + (1.0 - alpha) * self._uncertainty, _DIGITS)
        bounds[self._order] = -math.inf
        while True:
            top = int(bounds.argmax())
            if self._seen[top] == len(self._order):
                return top
            rows = self._stale(bounds, top)
            self._measure(rows)
            bounds[rows] = np.round(alpha * self._far[rows] + (1.0 - alpha) * self._uncertainty[rows], _DIGITS)

    def _stale(self, bounds: F64, top: int) -> Rows:
        batch = min(_BATCH, len(bounds))
        found = np.argpartition(bounds, -batch)[-batch:]
        keep = (self._seen[found] < len(self._order)) & (bounds[found] > -math.inf)
        return np.union1d(found[keep], [top]).astype(np.int64)

    def _measure(self, rows: Rows) -> None:
        since = self._order[int(self._seen[rows].min()) :]
        products = self._points[rows] @ self._points[since].T
        found = (self._lengths[since] - 2.0 * products).min(axis=1) + self._lengths[rows]
        self._squared[rows] = np.minimum(self._squared[rows], np.maximum(found, 0.0))
        self._far[rows] = _far(self._squared[rows])
        self._seen[rows] = len(self._order)


def _far(squared: F64) -> F64:
    return 1.0 - 1.0 / (1.0 + np.sqrt(squared))


def _lengths(points: F64) -> F64:
    """(m,) squared."""
    return np.asarray(np.einsum("ij,ij->i", points, points), dtype=np.float64)


def _squared(points: F64, lengths: F64, others: F64) -> F64:
    """(m,) squared distance to the nearest of the others."""
    theirs, found = _lengths(others), np.empty(len(points))
    for block in _blocks(len(points)):
        found[block] = (theirs - 2.0 * (points[block] @ others.T)).min(axis=1) + lengths[block]
    return np.maximum(found, 0.0)


def _central(points: F64, lengths: F64) -> int:
    """The row of the least mean distance to all."""
    means = np.empty(len(points))
    for block in _blocks(len(points)):
        squared = lengths[block, None] + lengths - 2.0 * (points[block] @ points.T)
        means[block] = np.sqrt(np.maximum(squared, 0.0)).mean(axis=1)
    return int(np.round(means, _DIGITS - 3).argmin())


def _blocks(m: int) -> list[slice]:
    return [slice(start, start + _BLOCK) for start in range(0, m, _BLOCK)]
