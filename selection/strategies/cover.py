"""Strategies that cover the content, whatever the model says of it; labelled items cover from the start.

They look at a fixed random part of a large pool, so that what is typical there is typical of the pool. The policy asked
about is the one nearest its threshold, weighted by severity.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import numpy.typing as npt

from selection.diversity import kmeans
from selection.hashing import F64
from selection.strategies.base import Candidates, Chosen, Rows
from selection.strategies.exact import GRID, grid, squared_distances, squared_lengths
from selection.strategies.shortlist import LINEAR, PAIRWISE, by_chance
from selection.types import F32, Bool

PSEUDO_CLASSES = 10  # k-means clusters that stand for classes where ProbCover sets its radius
PURE = 0.95  # share of balls that hold one pseudo-class only
_BLOCK = 1024  # rows at a time


def k_center(candidates: Candidates, n: int, _: int) -> Chosen:
    """Each pick is the item farthest from all labelled and chosen ones: the core-set, fond of outliers."""
    short = by_chance(candidates, max(n, LINEAR))
    labelled = None if candidates.labelled is None else grid(candidates.labelled.embeddings)
    start = int(short.values.argmax())
    return short.chosen(farthest_first(short.grid(), n, labelled, start), n)


def farthest_first(rows: F32, n: int, labelled: F32 | None = None, start: int = 0) -> Rows:
    """min(n, m) of (m, d) rows of the grid, each the one farthest from ``labelled`` (l, d) and the ones before it; the
    first is ``start`` where nothing is labelled. At most twice the best largest distance to a centre (Gonzalez 1985).
    Of equal ones the earlier row. Euclidean."""
    lengths, n = squared_lengths(rows), min(n, len(rows))
    distances = nearest_squared(rows, labelled)
    order: list[int] = [] if np.isfinite(distances).all() else [start]
    if order:
        distances = squared_distances(rows, lengths, rows[start])
        distances[start] = -1.0
    while len(order) < n:
        order.append(int(distances.argmax()))
        distances = np.minimum(distances, squared_distances(rows, lengths, rows[order[-1]]))
        distances[order[-1]] = -1.0
    return np.array(order, dtype=np.int64)


def nearest_squared(rows: F32, others: F32 | None) -> F64:
    """(m,) squared distance of each row of the grid to the nearest of ``others``; infinite where there is none."""
    found = np.full(len(rows), np.inf)
    if others is None or not len(others):
        return found
    theirs, mine = squared_lengths(others), squared_lengths(rows)
    for start in range(0, len(rows), _BLOCK):
        block = slice(start, start + _BLOCK)
        products = (rows[block] @ others.T).astype(np.float64)
        found[block] = mine[block] + (theirs - 2.0 * products).min(axis=1)
    return found


def probability_cover(candidates: Candidates, n: int, seed: int) -> Chosen:
    """Each pick covers the most items that no labelled or chosen one covers yet; balls as wide as they stay pure."""
    short = by_chance(candidates, max(n, PAIRWISE))
    rows = short.grid()[:PAIRWISE]
    clusters = kmeans(short.unit()[:PAIRWISE], min(PSEUDO_CLASSES, len(rows)), seed)[0]
    radius = pure_radius(rows, clusters)
    near = nearest_squared(rows, None if candidates.labelled is None else grid(candidates.labelled.embeddings))
    order = most_uncovered(balls(rows, radius), near <= radius, n)
    return short.chosen(order, n, [("covers its neighbourhood",)] * len(order))


def pure_radius(rows: F32, clusters: npt.NDArray[np.int64]) -> float:
    """The squared radius (in units of the grid) at which PURE of the balls hold rows of one cluster only."""
    lengths = squared_lengths(rows)
    nearest = np.empty(len(rows))
    for start in range(0, len(rows), _BLOCK):
        block = slice(start, start + _BLOCK)
        found = lengths[block, None] + lengths - 2.0 * (rows[block] @ rows.T)
        nearest[block] = np.where(clusters[block, None] == clusters, np.inf, found).min(axis=1)
    if np.isinf(nearest).all():  # one cluster: nothing says how wide a ball may be
        return float(GRID**2)
    return float(np.nextafter(np.sort(nearest)[int((1.0 - PURE) * len(nearest))], 0.0))


def balls(rows: F32, radius: float) -> Bool:
    """(m, m): whether two rows lie within the squared radius of each other."""
    lengths = squared_lengths(rows)
    found = np.empty((len(rows), len(rows)), dtype=bool)
    for start in range(0, len(rows), _BLOCK):
        block = slice(start, start + _BLOCK)
        found[block] = lengths[block, None] + lengths - 2.0 * (rows[block] @ rows.T) <= radius
    return found


def most_uncovered(near: Bool, covered: Bool, n: int) -> Rows:
    """At most n rows, each the one with the most uncovered rows in its ball (the earlier of equals), until all are
    covered. Greedy maximum coverage: at least 1 - 1/e of the best."""
    degrees = np.zeros(len(near), dtype=np.int64)
    for start in range(0, len(near), _BLOCK):
        degrees[start : start + _BLOCK] = np.count_nonzero(near[start : start + _BLOCK] & ~covered, axis=1)
    left = ~covered
    order: list[int] = []
    while len(order) < n and degrees.max(initial=0) > 0:
        order.append(int(degrees.argmax()))
        fresh = np.flatnonzero(near[order[-1]] & left)
        degrees -= np.count_nonzero(near[fresh], axis=0)
        left[fresh] = False
    return cast(Rows, np.array(order, dtype=np.int64))
