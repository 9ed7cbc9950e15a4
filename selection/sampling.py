"""Draws whose inclusion probabilities are known: simple random and proportional to size.

Both give a fixed number of distinct units, and both are functions of permanent random numbers.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from selection.errors import BadSample
from selection.hashing import F64

Positions = npt.NDArray[np.intp]

_CERTAIN = 1.0 - 1e-9  # from here on a unit counts as certain, so that rounding can never draw it twice


def simple_random_draw(uniforms: F64, n: int) -> Positions:
    """The n units with the smallest numbers: a simple random sample without replacement, pi = n / N."""
    _check_size(n, len(uniforms))
    if n < len(uniforms):
        least = np.flatnonzero(uniforms <= np.partition(uniforms, n)[n])
        return least[np.argsort(uniforms[least], kind="stable")[:n]]
    return np.argsort(uniforms, kind="stable")


def pps_probabilities(sizes: F64, n: int, floor: float) -> F64:
    """(N,) inclusion probabilities that add up to n, proportional to size above a floor.

    ``q_i = (1-floor) s_i / sum(s) + floor / N`` and ``pi_i = min(1, n q_i)``; what capping frees is shared out among
    the others in proportion to q until nobody is above 1. Sizes that are all zero mean equal probabilities.
    """
    _check_size(n, len(sizes))
    total = float(sizes.sum())
    equal = np.full(len(sizes), 1.0 / max(len(sizes), 1))
    q = (1.0 - floor) * (sizes / total) + floor * equal if total > 0 else equal
    pi = np.ones(len(sizes))
    free = np.ones(len(sizes), dtype=bool)
    left = float(n)
    while left > 0 and free.any():
        pi[free] = left * q[free] / q[free].sum()
        capped = free & (pi >= _CERTAIN)
        if not capped.any():
            return pi
        pi[capped] = 1.0
        free &= ~capped
        left = float(n - np.count_nonzero(~free))
    pi[free] = 0.0
    return pi


def systematic_draw(pi: F64, uniforms: F64, start: float) -> Positions:
    """Exactly sum(pi) units, each with its own pi: equal steps along a randomly ordered list (Madow 1949).

    ``uniforms`` order the list, ``start`` in [0, 1) is where the first step lands. sum(pi) must be whole.
    """
    certain = np.flatnonzero(pi >= _CERTAIN)
    order = np.argsort(uniforms, kind="stable")
    order = order[(pi[order] > 0) & (pi[order] < _CERTAIN)]
    if len(order) == 0:
        return certain
    ends = np.cumsum(pi[order])
    steps = round(float(ends[-1]))
    if abs(steps - ends[-1]) > 1e-6:
        raise BadSample(f"pi: adds up to {ends[-1] + len(certain):.6f}; a draw of fixed size needs a whole number")
    ends *= steps / ends[-1]
    points = np.minimum(start + np.arange(steps), np.nextafter(float(steps), 0.0))
    return np.concatenate([certain, order[np.searchsorted(ends, points, side="right")]])


def either(one: F64, other: F64) -> F64:
    """The probability of at least one of two independent draws."""
    return one + other * (1.0 - one)


def _check_size(n: int, units: int) -> None:
    if not 0 <= n <= units:
        raise BadSample(f"n: {n} units cannot be drawn from {units}")
