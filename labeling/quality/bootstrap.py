"""Percentile bootstrap by cluster: near-duplicates are drawn together, because they are one observation.

``interval`` is for any statistic of rows. Where a statistic only asks how often each kind of row is there, ``counted``
draws the same distribution without touching rows: clusters made of the same kinds are exchangeable, so how often each
make of cluster comes up in a draw is one multinomial number.
"""

from __future__ import annotations

import math
from collections import Counter
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
    return middle([statistic(rows) for rows in resamples(n, groups, seed=seed, draws=draws)], confidence)


def middle(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """[low, high] between which that part of a statistic's values in the draws lies; those that are NaN are left out,
    and with none left it is (NaN, NaN)."""
    known = [value for value in values if not math.isnan(value)]
    if not known:
        return math.nan, math.nan
    tail = (1 - confidence) / 2
    low, high = np.quantile(known, [tail, 1 - tail])
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


def counted(
    kinds: Rows, groups: Sequence[str] | None = None, *, seed: int = 0, draws: int = DRAWS
) -> npt.NDArray[np.float64]:
    """(draws, k): how often each kind of row, 0..k-1, is there in each draw; ``kinds`` (n,) says which each row is of.

    As drawing by ``resamples`` and counting, for statistics of these counts alone; the order of rows does not matter.
    Raises ValueError for no row, or other groups than rows.
    """
    order, starts, sizes = _clusters(len(kinds), groups)
    beside = kinds[order].tolist()
    makes = sorted(
        Counter(tuple(sorted(beside[at : at + size])) for at, size in zip(starts, sizes, strict=True)).items()
    )
    rows = np.concatenate([make for make, _ in makes])
    of_make = np.repeat(np.arange(len(makes)), [len(make) for make, _ in makes])
    share = np.array([times for _, times in makes]) / len(starts)
    generator, k = np.random.default_rng(seed), int(kinds.max()) + 1
    drawn = (generator.multinomial(len(starts), share) for _ in range(draws))
    return np.array([np.bincount(rows, weights=times[of_make], minlength=k) for times in drawn])


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
