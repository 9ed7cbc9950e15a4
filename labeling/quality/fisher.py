"""Fisher's exact test, one-sided, for many tables at once, and Benjamini and Hochberg's adjustment (1995) of what a
family of tests says when most of its members need no computing."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

F64 = npt.NDArray[np.float64]
_NEGLIGIBLE = 1e-17  # of the sum so far: a term this small changes no digit


def tails(events: npt.ArrayLike, n: npt.ArrayLike, other_events: npt.ArrayLike, other_n: npt.ArrayLike) -> F64:
    """(m,) probabilities of ``events`` or more of ``n`` where ``other_events`` of ``other_n`` are outside, given the
    margins: the upper tail of the hypergeometric distribution. Whole numbers with 0 <= events <= n on both sides; a
    side may be empty (p = 1). What ``fisher_exact(alternative="greater")`` says of each table."""
    k, cell, other, rest = (np.asarray(part, dtype=np.float64) for part in (events, n, other_events, other_n))
    total, hits = cell + rest, k + other
    if np.any((k < 0) | (k > cell) | (other < 0) | (other > rest)):
        raise ValueError("a table has more events than decisions, or a negative count")
    high = k * total > cell * hits  # above what is expected: the tail falls from its first term on
    found = np.ones(k.shape)
    found[high] = _upper(k[high], cell[high], hits[high], total[high])
    low = ~high & (k > 0)
    found[low] = 1.0 - _lower(k[low] - 1, cell[low], hits[low], total[low])
    return np.clip(found, 0.0, 1.0)


def adjusted(p_values: npt.ArrayLike, tests: int | None = None) -> F64:
    """(m,) q: the least false-discovery rate at which each stands among ``tests`` (default m), of which those that are
    not given have p = 1."""
    p = np.asarray(p_values, dtype=np.float64)
    family = len(p) if tests is None else tests
    if family < len(p):
        raise ValueError(f"tests: {family} is less than the {len(p)} p-values that are given")
    order = np.argsort(p, kind="stable")
    scaled = p[order] * family / np.arange(1, len(p) + 1)
    q = np.empty(len(p))
    q[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return q


def _log_term(k: F64, cell: F64, hits: F64, total: F64) -> F64:
    """Log probability of exactly k."""
    found: Any = _log_choose(hits, k) + _log_choose(total - hits, cell - k) - _log_choose(total, cell)
    return np.asarray(found, dtype=np.float64)


def _log_choose(n: F64, k: F64) -> F64:
    return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1), dtype=np.float64)


def _upper(k: F64, cell: F64, hits: F64, total: F64) -> F64:
    """P(X >= k), summed by the ratio of neighbours."""
    return _summed(k, cell, hits, total, up=True)


def _lower(k: F64, cell: F64, hits: F64, total: F64) -> F64:
    """P(X <= k), where k is below what is expected."""
    return _summed(k, cell, hits, total, up=False)


def _summed(k: F64, cell: F64, hits: F64, total: F64, *, up: bool) -> F64:
    sums, term = np.ones(len(k)), np.ones(len(k))
    at, live = k.copy(), np.arange(len(k))
    while len(live):
        j, n, h, t = at[live], cell[live], hits[live], total[live]
        if up:
            ratio = (h - j) * (n - j) / ((j + 1) * (t - h - n + j + 1))
        else:
            ratio = j * (t - h - n + j) / ((h - j + 1) * (n - j + 1))
        term[live] *= ratio
        sums[live] += term[live]
        at[live] += 1 if up else -1
        live = live[term[live] > _NEGLIGIBLE * sums[live]]
    return np.asarray(np.exp(_log_term(k, cell, hits, total)) * sums, dtype=np.float64)
