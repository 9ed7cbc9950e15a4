"""Days of made traffic, judged as the use case judges the lake's; what the tests and docs/quality.md measure.

PYTHONPATH=. python -m tests.labeling.quality.simulation null 10  # and a first seed, if need be
PYTHONPATH=. python -m tests.labeling.quality.simulation far 20
PYTHONPATH=. python -m tests.labeling.quality.simulation inside 20
"""

from __future__ import annotations

import sys

import numpy as np

from labeling.insights.trend_clusters import Clusters, fit
from labeling.quality.themes import WINDOW
from labeling.quality.trend_day import Bool, Day, Items, judge_day, propose
from tests.labeling.quality.traffic import Traffic, plant, traffic

DAYS, MARKETS = 35, 4


def judged(made: Traffic, clusters: Clusters, day: int) -> tuple[Day, Bool]:
    """A day, and which of its cells and themes are of the planted one: five of its items or more, or most of them."""
    recent = made.until(day, DAYS)
    cluster, far = clusters.assign(recent.vectors)
    draws = np.random.default_rng(day).permutation(len(cluster))
    items = Items(recent.day - (day - DAYS + 1), recent.market, cluster, far, draws % 2 == 0, draws)
    late = items.day >= DAYS - WINDOW
    groups = propose(items, recent.vectors[late], DAYS)
    tested, before = groups.count(recent.vectors[late & ~items.half]), groups.count(recent.vectors[~late])
    found = judge_day(items, DAYS, MARKETS, len(clusters.centroids), groups, tested, before, day)
    planted = recent.vectors[recent.planted]
    of_theme = groups.members(planted).mean(axis=0) > 0.5 if len(planted) else np.zeros(len(groups), np.bool_)
    cells = zip(found.markets, found.clusters, strict=True)
    held = [int((recent.planted & (recent.market == m) & (cluster == c)).sum()) for m, c in cells]
    return found, np.concatenate([np.array(held) >= 5, of_theme])


def fitted(made: Traffic) -> Clusters:
    """Clusters of the first four weeks."""
    return fit(made.vectors[made.day < DAYS - 7])


def null_days(seed: int, days: int) -> tuple[int, int]:
    """Of so many days on which nothing is new: on how many something stands, and lasts."""
    made = traffic(seed, DAYS + days - 1)
    clusters, stands, lasts = fitted(made), 0, 0
    for day in range(DAYS - 1, DAYS - 1 + days):
        found, _ = judged(made, clusters, day)
        stands, lasts = stands + bool(found.stands.any()), lasts + bool(found.lasts.any())
    return stands, lasts


def found_on(seed: int, *, inside: bool) -> tuple[int | None, int | None]:
    """On which of its days (from 1) the planted theme stands, and lasts; None: on none."""
    made = plant(traffic(seed, DAYS + 3), seed, DAYS, inside=inside)
    clusters = fitted(made)
    first: list[int | None] = [None, None]
    for number, day in enumerate(range(DAYS, DAYS + 3), 1):
        found, planted = judged(made, clusters, day)
        for which, flags in enumerate((found.stands, found.lasts)):
            if first[which] is None and bool((flags & planted).any()):
                first[which] = number
    return first[0], first[1]


def main(what: str, seeds: int, first: int = 0) -> None:
    """Print what each seed gives."""
    for seed in range(first, first + seeds):
        said = null_days(seed, 100) if what == "null" else found_on(seed, inside=what == "inside")
        print(what, seed, *said, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:4]))
