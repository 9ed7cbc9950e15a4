"""Draws whose inclusion probabilities are known: simple random and proportional to size.

Both give a fixed number of distinct units, and both are functions of permanent random numbers. Sizes are whole numbers
on a grid, so that their sums are exact: what is summed in parts, in any order, draws the same units as one sum.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from selection.errors import BadSample
from selection.hashing import F64

Positions = npt.NDArray[np.intp]
I64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

GRID = 2.0**30  # steps of a size from 0 to the largest there can be; 2^32 units of that size still fit in 64 bits
_CERTAIN = 1.0 - 1e-9  # from here on a unit counts as certain, so that rounding can never draw it twice
_BITS = 53  # of a random number


def simple_random_draw(uniforms: F64, n: int) -> Positions:
    """The n units with the smallest numbers: a simple random sample without replacement, pi = n / N."""
    _check_size(n, len(uniforms))
    if n < len(uniforms):
        least = np.flatnonzero(uniforms <= np.partition(uniforms, n)[n])
        return least[np.argsort(uniforms[least], kind="stable")[:n]]
    return np.argsort(uniforms, kind="stable")


def on_grid(sizes: F64, most: float, floor: float) -> I64:
    """(N,) whole sizes from 0 to GRID, those of ``sizes`` between 0 and ``most`` times ``1 - floor``."""
    return np.rint(sizes / most * ((1.0 - floor) * GRID)).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Rule:
    """``pi_i = 1`` from size ``cut`` on, else ``left (s_i + added) / weight``: the s_i of ``on_grid``."""

    added: int
    cut: int
    left: int
    weight: int

    def of(self, sizes: I64) -> F64:
        """(N,) inclusion probabilities."""
        if self.left == 0:
            return (sizes >= self.cut).astype(np.float64)
        return np.where(sizes >= self.cut, 1.0, (sizes + self.added) * (self.left / self.weight))


@dataclass(slots=True)
class Mass:
    """What a PPS draw of at most ``most`` units must know of all units. It adds up: parts may be summed anywhere, in
    any order. ``sums`` and ``counts`` (buckets,): sizes and units in equal parts of the random numbers; ``largest`` (2,
    <= most): the largest sizes and their buckets. What is drawn is the same for any number of buckets: with more of
    them, fewer units have to be looked at again."""

    most: int
    buckets: int = 1
    sums: I64 = field(init=False)
    counts: I64 = field(init=False)
    largest: I64 = field(init=False)

    def __post_init__(self) -> None:
        self.sums, self.counts = np.zeros(self.buckets, np.int64), np.zeros(self.buckets, np.int64)
        self.largest = np.zeros((2, 0), np.int64)

    def add(self, sizes: I64, uniforms: F64) -> None:
        """Count units in, by their sizes on the grid and their random numbers."""
        buckets = bucket_of(uniforms, self.buckets)
        np.add.at(self.sums, buckets, sizes)
        np.add.at(self.counts, buckets, 1)
        self._keep(np.stack([sizes, buckets]))

    def merge(self, other: Mass) -> None:
        """Count another part in."""
        self.sums += other.sums
        self.counts += other.counts
        self._keep(other.largest)

    def _keep(self, units: I64) -> None:
        if len(units[0]) > self.most > 0:
            units = units[:, np.argpartition(-units[0], self.most - 1)[: self.most]]
        both = np.concatenate([self.largest, units], axis=1)
        self.largest = both[:, np.lexsort((both[1], -both[0]))[: self.most]]

    def rule(self, n: int, floor: float) -> Rule:
        """``q_i`` in proportion to ``(1-floor) s_i / sum(s) + floor / N`` and ``pi_i = min(1, n q_i)``; what capping
        frees is shared out among the others in proportion to q until nobody is above 1. Sizes that are all zero mean
        equal probabilities. Raises BadSample where there are fewer than n units."""
        units, total, left = int(self.counts.sum()), int(self.sums.sum()), n
        _check_size(n, units)
        added = max(1, round(floor / (1.0 - floor) * total / units)) if total else 1
        sizes, cut = self.largest[0], int(GRID) + 1
        weight = total + added * units
        while left > 0 and len(sizes):
            capped = int(np.count_nonzero((sizes + added) * (left / weight) >= _CERTAIN))
            if capped == 0:
                break
            cut, left = int(sizes[capped - 1]), left - capped
            weight -= int((sizes[:capped] + added).sum())
            sizes = sizes[capped:]
        return Rule(added, cut, left, weight)

    def free(self, rule: Rule) -> I64:
        """(buckets,) the weights of the units that are not certain."""
        sums = self.sums + rule.added * self.counts
        certain = self.largest[:, self.largest[0] >= rule.cut]
        np.subtract.at(sums, certain[1], certain[0] + rule.added)
        return sums


def pps_draw(
    sizes: I64, uniforms: F64, start: float, n: int, floor: float, mass: Mass | None = None
) -> tuple[Bool, F64]:
    """(N,) who is drawn, and (N,) pi: exactly n units, those that are certain and equal steps along the others in the
    order of ``uniforms`` (Madow 1949). ``sizes``: of ``on_grid`` with this ``floor``; ``start`` in [0, 1): where the
    first step lands. ``mass``: of all units, where only those are given that could be drawn. Raises BadSample."""
    if mass is None:
        mass = Mass(max(n, 0))
        mass.add(sizes, uniforms)
    rule = mass.rule(n, floor)
    taken = sizes >= rule.cut
    free = mass.free(rule)
    weights = np.where(taken, 0, sizes + rule.added)
    taken[step_along(weights, uniforms, points_of(free, rule.left, start), free)] = True
    return taken, rule.of(sizes)


def points_of(sums: I64, steps: int, start: float) -> I64:
    """(steps,) where equal steps land on a list whose weights add up to ``sums`` (buckets,)."""
    total, first = int(sums.sum()), int(start * 2**_BITS)
    return np.array([((first + (step << _BITS)) * total) // (steps << _BITS) for step in range(steps)], dtype=np.int64)


def hit_buckets(points: I64, sums: I64) -> Bool:
    """(buckets,) in which of them a step lands."""
    hit = np.zeros(len(sums), dtype=bool)
    hit[np.searchsorted(np.cumsum(sums), points, side="right")] = True
    return hit


def step_along(weights: I64, uniforms: F64, points: I64, sums: I64) -> Positions:
    """(steps,) the units on which the ``points`` land. ``weights`` and ``uniforms``: of all units, or of all in the
    ``hit_buckets`` and any others; ``sums`` (buckets,) of the weights of all."""
    buckets, ends = bucket_of(uniforms, len(sums)), np.cumsum(sums)
    rows = np.flatnonzero(hit_buckets(points, sums)[buckets] & (weights > 0))
    rows = rows[np.argsort(uniforms[rows], kind="stable")]
    mine, widths = buckets[rows], weights[rows]
    within = np.cumsum(widths)
    first = np.searchsorted(mine, mine)  # of the same bucket
    within -= within[first] - widths[first]
    return rows[np.searchsorted(ends[mine] - sums[mine] + within, points, side="right")]


def bucket_of(uniforms: F64, buckets: int) -> I64:
    """(N,) the number of the equal part that a random number falls in."""
    return (uniforms * buckets).astype(np.int64)


def either(one: F64, other: F64) -> F64:
    """The probability of at least one of two independent draws."""
    return one + other * (1.0 - one)


def _check_size(n: int, units: int) -> None:
    if not 0 <= n <= units:
        raise BadSample(f"n: {n} units cannot be drawn from {units}")
