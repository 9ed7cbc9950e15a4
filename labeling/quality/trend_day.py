"""One day of trends from arrays: count the cells, propose and test new themes, and keep what stands at the day's
rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labeling.quality.themes import WINDOW, Groups, Tests, judge, proposals
from labeling.quality.trends import Volumes, discoveries_of_day, volumes

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Items:
    """n items of the last days. ``day`` (n,): 0 is the oldest, ``days`` - 1 today; ``market`` and ``cluster`` (n,):
    places; ``far`` (n,): no centroid is near; ``half`` (n,): whether it proposes themes (True) or tests them; ``order``
    (n,): a number drawn by the item's id."""

    day: I64
    market: I64
    cluster: I64
    far: Bool
    half: Bool
    order: I64


@dataclass(frozen=True, slots=True)
class Day:
    """What today's cells and themes say. The first ``len(markets)`` cells are markets' totals (cluster -1). ``p`` (c +
    g,): of cells, then themes; ``stands`` and ``lasts`` as ``discoveries_of_day`` has them."""

    markets: I64
    clusters: I64
    cells: Volumes
    groups: Groups
    themes: Tests
    p: F64
    stands: Bool
    lasts: Bool


def cells_of(items: Items, days: int, markets: int, clusters: int) -> tuple[I64, I64, I64, I64]:
    """(counts, market, cluster, totals): the totals first, then every cluster of every market."""
    grid = np.zeros((markets, clusters, days), np.int64)
    np.add.at(grid, (items.market, items.cluster, items.day), 1)
    totals = grid.sum(axis=1)
    counts = np.concatenate([totals, grid.reshape(markets * clusters, days)])
    market = np.concatenate([np.arange(markets), np.repeat(np.arange(markets), clusters)])
    cluster = np.concatenate([np.full(markets, -1), np.tile(np.arange(clusters), markets)])
    return counts, market, cluster, totals


def propose(items: Items, window: F32, days: int) -> Groups:
    """Themes from the window's proposing half. ``window``: the vectors of the items of the last
    ``WINDOW`` days, in their order."""
    late = np.flatnonzero(items.day >= days - WINDOW)
    mine = items.half[late]
    return proposals(window[mine], items.far[late][mine], items.order[late][mine])


def judge_day(
    items: Items, days: int, markets: int, clusters: int, groups: Groups, tested: I64, before: I64, day: int
) -> Day:
    """``tested`` (g,): items of the window's testing half of each group; ``before`` (g,): of all earlier items."""
    counts, market, cluster, totals = cells_of(items, days, markets, clusters)
    cells = volumes(counts, market, cluster, totals, day)
    late = items.day >= days - WINDOW
    n_tested, n_before = int((late & ~items.half).sum()), int((~late).sum())
    themes = judge(tested, before, n_tested, n_before, cells.alpha)
    p = np.concatenate([cells.p, themes.p])
    stands, lasts = discoveries_of_day(p)
    return Day(market, cluster, cells, groups, themes, p, stands, lasts)
