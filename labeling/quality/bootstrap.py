"""Percentile bootstrap by cluster: near-duplicates are drawn together, because they are one observation."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]
DRAWS = 400


def interval(
    statistic: Callable[[Rows], float],
    n: int,
    groups: Sequence[str] | None = None,
    *,
    seed: int = 0,
    draws: int = DRAWS,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """[low, high] of ``statistic``, which gets row numbers (repeats included) out of 0..n-1.

    ``groups``: one key a row (None: every row by itself). Draws for which the statistic is undefined (NaN) are left
    out; with none left the interval is (NaN, NaN). The same seed gives the same interval.
    """
    values = [
        value for rows in resamples(n, groups, seed=seed, draws=draws) if not math.isnan(value := statistic(rows))
    ]
    if not values:
        return math.nan, math.nan
    tail = (1 - confidence) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)


def resamples(n: int, groups: Sequence[str] | None = None, *, seed: int = 0, draws: int = DRAWS) -> Iterator[Rows]:
    """The row numbers of each draw, for a caller with several statistics of the same draws. As ``interval``."""
    order, starts, sizes = _clusters(n, groups)
    generator = np.random.default_rng(seed)
    for _ in range(draws):
        drawn = generator.integers(0, len(starts), len(starts))
        lengths = sizes[drawn]
        ends = np.cumsum(lengths)
        yield order[np.repeat(starts[drawn] - (ends - lengths), lengths) + np.arange(ends[-1])]


def _clusters(n: int, groups: Sequence[str] | None) -> tuple[Rows, Rows, Rows]:
    """The row numbers with each cluster's side by side, clusters as they first come; where each starts, and its
    size."""
    if n == 0:
        raise ValueError("there is nothing to draw from")
    if groups is None:
        return np.arange(n), np.arange(n), np.ones(n, dtype=np.int64)
    if len(groups) != n:
        raise ValueError(f"{len(groups)} groups for {n} rows")
    numbers: dict[str, int] = {}
    codes = np.array([numbers.setdefault(group, len(numbers)) for group in groups], dtype=np.int64)
    sizes = np.bincount(codes)
    return np.argsort(codes, kind="stable"), np.cumsum(sizes) - sizes, sizes
