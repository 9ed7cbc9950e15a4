"""What a set of learning curves says of the default: labels as a share of random's, areas between curves, and in how
many cells it is ahead. A cell is a set, a seed and a metric."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from selection.hashing import F64
from selection.replay import METRICS, RANDOM, Curve
from selection.replay_report import CONFIDENCE, DRAWS, cells, labels_to_reach

SHARE = 0.95  # of the score of a head on the whole pool
Curves = Mapping[str, Sequence[Curve]]  # by set


@dataclass(frozen=True, slots=True)
class Share:
    """Labels to ``SHARE`` as a share of random's. ``value``: the median of the seeds; ``seeds`` (s,) of each, NaN where
    neither got there; ``never``, ``random_never``: seeds whose labels ran out before."""

    value: float
    seeds: F64
    never: int
    random_never: int


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean or a median, with its bootstrap interval over seeds."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"


def share(curves: Sequence[Curve], strategy: str, metric: str) -> Share:
    """Of one set. Whoever has not got there counts as getting there with its last label: where that is random, the
    share is at most what is said; where it is the strategy, at least."""
    mine, random = _by_seed(curves, strategy), _by_seed(curves, RANDOM)
    found, never, random_never = [], 0, 0
    for seed, curve in mine.items():
        score = SHARE * curve.full[metric]
        need, other = labels_to_reach(curve, metric, score), labels_to_reach(random[seed], metric, score)
        never, random_never = never + math.isinf(need), random_never + math.isinf(other)
        both = math.isinf(need) and math.isinf(other)
        found.append(math.nan if both else _within(need, curve) / _within(other, random[seed]))
    seeds = np.array(found, np.float64)
    return Share(_median(seeds), seeds, never, random_never)


def over_sets(shares: Sequence[Share]) -> Interval:
    """The geometric mean over sets of the medians of their seeds; seeds are drawn anew within each set. Sets without a
    seed that says something are left out."""
    known = [found.seeds[~np.isnan(found.seeds)] for found in shares]
    known = [seeds for seeds in known if len(seeds)]
    rng = np.random.default_rng(0)
    drawn = [np.median(seeds[rng.integers(0, len(seeds), (DRAWS, len(seeds)))], axis=1) for seeds in known]
    means = np.exp(np.mean(np.log(drawn), axis=0))
    return Interval(float(np.exp(np.mean([np.log(np.median(seeds)) for seeds in known]))), *_ends(means))


def areas(curves: Sequence[Curve], one: str, other: str, labels: int) -> dict[str, F64]:
    """By metric, of each seed the mean difference of the curves up to ``labels``."""
    short = [cut(curve, labels) for curve in curves if curve.strategy in (one, other)]
    found: dict[str, list[float]] = {metric: [] for metric in METRICS}
    for _seed, metric, area in cells(short, one, other):
        found[metric].append(area)
    return {metric: np.array(values, np.float64) for metric, values in found.items()}


def mean(values: F64) -> Interval:
    """With a bootstrap interval over the values."""
    rng = np.random.default_rng(0)
    drawn = values[rng.integers(0, len(values), (DRAWS, len(values)))].mean(axis=1)
    return Interval(float(values.mean()), *_ends(drawn))


def ahead(curves: Curves, one: str, other: str, labels: Mapping[str, int]) -> tuple[int, int]:
    """(cells in which the area of ``one`` is above that of ``other``, cells). Equal curves count half, down."""
    found = [areas(mine, one, other, labels[name]) for name, mine in curves.items()]
    values = np.concatenate([values for by_metric in found for values in by_metric.values()] or [np.empty(0)])
    return int((values > 0).sum() + (values == 0).sum() // 2), len(values)


def cut(curve: Curve, labels: int) -> Curve:
    """Its part up to ``labels``."""
    inside = curve.labels <= labels
    return replace(curve, labels=curve.labels[inside], scores={name: row[inside] for name, row in curve.scores.items()})


def _by_seed(curves: Sequence[Curve], strategy: str) -> dict[int, Curve]:
    return {curve.seed: curve for curve in curves if curve.strategy == strategy}


def _within(labels: float, curve: Curve) -> float:
    return min(labels, float(curve.labels[-1]))


def _median(values: F64) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else math.nan


def _ends(drawn: F64) -> tuple[float, float]:
    tail = (1 - CONFIDENCE) / 2
    return float(np.quantile(drawn, tail)), float(np.quantile(drawn, 1 - tail))
