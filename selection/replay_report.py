"""What learning curves say: labels needed, as a share of what random needs, and the area between curves.

Every figure is a median over seeds with a percentile bootstrap interval over them (Efron 1979); with few seeds it is
wide, and says so by itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from selection.errors import BadSample
from selection.hashing import F64
from selection.replay import METRICS, RANDOM, Curve

SMOOTHED_OVER = 3  # rounds: one lucky round is no achievement
SHARES = (0.95, 0.98)  # of the score of a head on the whole pool
DRAWS = 2000
CONFIDENCE = 0.90
_NEVER = 1e18


@dataclass(frozen=True, slots=True)
class Figure:
    """``value`` with its interval over ``n`` seeds; None where too few curves got there."""

    value: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """One strategy under one metric. ``labels``: that it needs to reach a share of the whole pool's score, by share;
    ``of_random``: the same as a share of random's labels to get there; ``to_random_s_end``: its labels to reach what
    random reaches with its whole budget, as a share of that; ``area``: mean difference of the curves to random's, where
    both are; ``ahead``: seeds in which that is above 0."""

    strategy: str
    metric: str
    labels: dict[str, Figure]
    of_random: dict[str, Figure]
    to_random_s_end: Figure
    area: Figure
    ahead: int


def compare(curves: Sequence[Curve]) -> list[Comparison]:
    """Each strategy but random against random, seed by seed. Raises BadSample when a seed has no random curve."""
    random = {curve.seed: curve for curve in curves if curve.strategy == RANDOM}
    found = []
    for strategy in dict.fromkeys(curve.strategy for curve in curves if curve.strategy != RANDOM):
        mine = [curve for curve in curves if curve.strategy == strategy]
        bare = [curve.seed for curve in mine if curve.seed not in random]
        if bare:
            raise BadSample(f"curves: seed {bare[0]} has no curve of {RANDOM!r} to compare {strategy!r} with")
        found += [_compared(metric, [(curve, random[curve.seed]) for curve in mine]) for metric in METRICS]
    return found


def labels_to_reach(curve: Curve, metric: str, score: float) -> float:
    """The fewest labels at which the smoothed curve is at ``score`` or above; infinity where it never is."""
    there = np.flatnonzero(smoothed(curve.scores[metric]) >= score)
    return float(curve.labels[there[0]]) if len(there) else math.inf


def smoothed(scores: F64) -> F64:
    """The running mean over ``SMOOTHED_OVER`` rounds, the ends held."""
    side = SMOOTHED_OVER // 2
    padded = np.pad(scores, side, mode="edge")
    return cast(F64, np.convolve(padded, np.full(SMOOTHED_OVER, 1 / SMOOTHED_OVER), mode="valid"))


def _compared(metric: str, pairs: list[tuple[Curve, Curve]]) -> Comparison:
    labels, shares = {}, {}
    for share in SHARES:
        needs = [
            [labels_to_reach(curve, metric, share * mine.full[metric]) for curve in (mine, other)]
            for mine, other in pairs
        ]
        labels[f"{share:g}"] = _median([mine for mine, _random in needs])
        shares[f"{share:g}"] = _median([_ratio(mine, random) for mine, random in needs])
    ends = [
        labels_to_reach(mine, metric, float(smoothed(random.scores[metric])[-1])) / float(random.labels[-1])
        for mine, random in pairs
    ]
    areas = [_area(metric, mine, random) for mine, random in pairs]
    return Comparison(
        pairs[0][0].strategy, metric, labels, shares, _median(ends), _median(areas), sum(area > 0 for area in areas)
    )


def _ratio(mine: float, random: float) -> float:
    """Infinite where the strategy never got there; NaN, no evidence, where neither did."""
    if math.isinf(mine):
        return math.nan if math.isinf(random) else math.inf
    return 0.0 if math.isinf(random) else mine / random


def _area(metric: str, mine: Curve, random: Curve) -> float:
    both = np.intersect1d(mine.labels, random.labels)
    mine_scores = np.interp(both, mine.labels, mine.scores[metric])
    return float(np.mean(mine_scores - np.interp(both, random.labels, random.scores[metric])))


def _median(values: Sequence[float]) -> Figure:
    known = np.array([value for value in values if not math.isnan(value)], np.float64)
    if not len(known):
        return Figure(None, None, None, 0)
    finite = np.where(np.isinf(known), _NEVER, known)
    draws = np.random.default_rng(0).integers(0, len(finite), (DRAWS, len(finite)))
    medians = np.median(finite[draws], axis=1)
    tail = (1 - CONFIDENCE) / 2
    low, high = (float(np.quantile(medians, q, method="nearest")) for q in (tail, 1 - tail))
    return Figure(_told(float(np.median(finite))), _told(low), _told(high), len(known))


def _told(value: float) -> float | None:
    return None if value >= _NEVER / 2 else value  # the median of an even number may lie half-way to never


def cells(curves: Sequence[Curve], one: str, other: str) -> Iterator[tuple[int, str, float]]:
    """(seed, metric, area of ``one`` above ``other``) for every seed that both have."""
    by_name = {(curve.strategy, curve.seed): curve for curve in curves}
    for strategy, seed in by_name:
        if strategy == one and (other, seed) in by_name:
            for metric in METRICS:
                yield seed, metric, _area(metric, by_name[one, seed], by_name[other, seed])
