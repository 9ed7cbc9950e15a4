"""Facility location: the picks of which the rest of the shortlist finds a near one (dense representatives)."""

from __future__ import annotations

import math
from typing import cast

import numpy as np

from selection.hashing import F64, uniforms
from selection.strategies.base import Candidates, Chosen, Rows
from selection.strategies.exact import GRID, grid
from selection.strategies.shortlist import PAIRWISE, at_threshold, by_value, size
from selection.types import F32

DENSE = PAIRWISE  # rows up to which all cosines are kept (400 MB there); above, stochastic greedy
WHOLE = 1024  # a weight is a whole number of 1024ths of the largest, so that sums of gains are exact
MISSED = 0.1  # stochastic greedy: expected loss of the guarantee 1 - 1/e (epsilon of Mirzasoleiman et al. 2015)
_BATCH_CELLS = 32_768  # cosines behind the stale gains that are computed anew at a time, of 16 rows at least
_BLOCK = 1024  # rows of the cosines at a time


def facility(candidates: Candidates, n: int, seed: int) -> Chosen:
    """Those of the pairs nearest their threshold that stand for the most others of them."""
    short = by_value(candidates, at_threshold(candidates), size(n, DENSE))
    return short.chosen(facility_location(short.unit(), n, seed=seed), n)


def facility_location(
    vectors: F32, n: int, weights: F64 | None = None, already: F32 | None = None, seed: int = 0
) -> Rows:
    """min(n, m) row numbers, in the order of greedy maximisation of ``sum_i w_i max(0, max_chosen cos(i, chosen))``.

    ``vectors`` (m, d) unit or zero rows; ``weights`` (m,) of what is to be covered, at least 0, None: all equal;
    ``already`` (c, d) unit rows that cover from the start. Of equal gains the earlier row wins, so the caller's order
    of rows is the tie-break, and nothing else of it counts up to DENSE rows: gains are exact. Lazy greedy (Minoux 1978)
    up to DENSE rows, at least 1 - 1/e of the best (Nemhauser et al. 1978); above it each step looks at a keyed random
    (m / n) ln(1 / MISSED) of the rows.
    """
    rows, n = grid(vectors), min(n, len(vectors))
    whole = _whole_weights(len(rows), weights)
    covered = _covered(rows, already)
    if len(rows) <= DENSE:
        return _lazy(_cosines(rows, rows), n, whole, covered)
    return _stochastic(rows, n, whole, covered, seed)


def coverage(vectors: F32, chosen: Rows, weights: F64 | None = None) -> float:
    """What ``facility_location`` maximises, for rows chosen by whatever rule."""
    rows = grid(vectors)
    covered = _cosines(rows, rows[chosen]).max(axis=1) if len(chosen) else np.zeros(len(rows), np.float32)
    factors = np.ones(len(rows)) if weights is None else weights
    return float(covered.astype(np.float64) @ factors) / GRID**2


def _whole_weights(m: int, weights: F64 | None) -> F64:
    if weights is None or not weights.any():
        return np.ones(m)
    return cast(F64, np.rint(weights * (WHOLE / weights.max())))


def _cosines(rows: F32, others: F32) -> F32:
    """(m, c), nothing below 0, in units of GRID^2."""
    return cast(F32, np.maximum(rows @ others.T, np.float32(0)))


def _covered(rows: F32, already: F32 | None) -> F32:
    covered = np.zeros(len(rows), np.float32)
    if already is None or not len(already):
        return covered
    others = grid(already)
    for start in range(0, len(rows), _BLOCK):
        covered[start : start + _BLOCK] = _cosines(rows[start : start + _BLOCK], others).max(axis=1)
    return covered


def _gains(cosines: F32, covered: F32, weights: F64) -> F64:
    """(c,) what each of c rows of cosines would add. Whole numbers below 2^53: no order of sums matters."""
    return cast(F64, np.maximum(cosines - covered, np.float32(0)).astype(np.float64) @ weights)


def _lazy(cosines: F32, n: int, weights: F64, covered: F32) -> Rows:
    """A gain only ever falls, so an old one bounds the new: only rows at the top are computed anew."""
    m = len(cosines)
    batch = min(m, max(16, _BATCH_CELLS // m))
    bounds = np.empty(m)
    for start in range(0, m, _BLOCK):
        bounds[start : start + _BLOCK] = _gains(cosines[start : start + _BLOCK], covered, weights)
    fresh = np.ones(m, dtype=bool)
    order: list[int] = []
    while len(order) < n:
        top = int(bounds.argmax())
        if not fresh[top]:
            stale = _largest(bounds, top, batch)
            bounds[stale] = _gains(cosines[stale], covered, weights)
            fresh[stale] = True
            continue
        order.append(top)
        np.maximum(covered, cosines[top], out=covered)
        fresh[:] = False
        bounds[top] = -math.inf
    return np.array(order, dtype=np.int64)


def _largest(bounds: F64, top: int, batch: int) -> Rows:
    found = np.argpartition(bounds, -batch)[-batch:]
    return np.union1d(found[bounds[found] > -math.inf], [top]).astype(np.int64)


def _stochastic(rows: F32, n: int, weights: F64, covered: F32, seed: int) -> Rows:
    m = len(rows)
    looked_at = min(m, math.ceil(m / n * math.log(1.0 / MISSED)))
    places = np.arange(m, dtype=np.uint64)
    left = np.ones(m, dtype=bool)
    order: list[int] = []
    for step in range(n):
        luck = np.where(left, uniforms(places, seed, "facility", step), math.inf)
        sample = np.sort(np.argpartition(luck, min(looked_at, m - 1))[:looked_at])
        sample = sample[left[sample]]
        cosines = _cosines(rows[sample], rows)
        best = int(_gains(cosines, covered, weights).argmax())
        order.append(int(sample[best]))
        np.maximum(covered, cosines[best], out=covered)
        left[order[-1]] = False
    return np.array(order, dtype=np.int64)
