"""Strata of a frame, for the lane ``stratified``: k-means cells by bands of score, and how many picks each one gets.

A stratum holds units of one policy that are about the same and score about the same. Which units belong together
depends on the pool and the budget alone, never on the seed: with ``n_h`` of ``N_h`` units drawn by chance,
``pi = n_h / N_h`` exactly. Bands hold equal parts of ``sum sqrt(p(1-p))`` (equal aggregate sigma: Sarndal, Swensson and
Wretman 1992, section 12.4), picks go by Neyman's rule ``n_h ~ N_h S_h`` (1934) with ``S_h`` the severity-weighted
``sqrt(p(1-p))`` of the stratum's mean score.
"""

from __future__ import annotations

from dataclasses import dataclass

import faiss
import numpy as np
import numpy.typing as npt

from selection.diversity import kmeans, one_thread
from selection.errors import BadSample
from selection.frame import Frame
from selection.hashing import F64
from selection.types import Plan

Labels = npt.NDArray[np.int64]

FLOOR = 2  # picks a stratum gets at least, so that its variance can be estimated
PICKS_EACH = 6  # picks a stratum gets on average: how many strata a budget carries
MOST_BANDS, MOST_CELLS = 5, 16
_SAMPLE_ROWS = 50_000  # items that k-means is fitted on
_LEAST = 1e-9  # a spread that every stratum has, so that scores of 0 and 1 leave something to divide by


@dataclass(frozen=True, slots=True)
class Strata:
    """``of`` (u,): each unit's stratum; ``units`` and ``picks`` (h,): its N_h and n_h, 1 <= n_h <= N_h; ``wanted``: how
    many there were before those that were too small for ``FLOOR`` picks were merged."""

    of: Labels
    units: Labels
    picks: Labels
    wanted: int

    def __len__(self) -> int:
        return len(self.units)


def stratify(frame: Frame, plan: Plan, n: int) -> Strata:
    """Strata of the whole frame for ``n`` picks, 1 <= n <= units."""
    policies = len(frame.pool.policies)
    room = max(1, n // (PICKS_EACH * policies))  # strata a policy
    bands = min(MOST_BANDS, room)
    cells = _cells(frame, min(MOST_CELLS, max(1, room // bands)))
    spread = np.sqrt(np.clip(frame.mean * (1.0 - frame.mean), 0.0, 0.25)) + _LEAST
    band = np.zeros(len(frame), dtype=np.int64)
    for column in range(policies):
        mine = np.flatnonzero(frame.policy == column)
        band[mine] = _bands(frame.mean[mine], spread[mine], bands)
    # In this order neighbours in the list of strata are most alike: cells of one band of one policy.
    width = int(cells.max()) + 1
    keys, numbers = np.unique((frame.policy * bands + band) * width + cells, return_inverse=True)
    of, units = _merge(np.asarray(numbers, dtype=np.int64), keys // (bands * width), n)
    mean = np.bincount(of, weights=frame.mean) / units
    weight = np.bincount(of, weights=frame.of_policy(plan.severities)) / units
    deviation = weight * (np.sqrt(np.clip(mean * (1.0 - mean), 0.0, 0.25)) + _LEAST)
    return Strata(of, units, neyman(units, deviation, n, min(FLOOR, n)), len(keys))


def neyman(units: Labels, deviations: F64, n: int, floor: int = 0) -> Labels:
    """(h,) whole numbers that add up to n: ``n_h`` in proportion to ``N_h S_h``, at least ``floor`` and at most N_h.

    Largest remainders; ties go to the stratum that comes first. Raises BadSample where n is below the floors or above
    all units.
    """
    least = np.minimum(units, floor)
    if not int(least.sum()) <= n <= int(units.sum()):
        raise BadSample(f"n: {n} picks do not fit {len(units)} strata of {units.sum()} units, {floor} each at least")
    weights = units * deviations if (units * deviations).sum() > 0 else units.astype(np.float64)
    weights = np.maximum(weights / weights.max(), 1e-12)  # so that any stratum can take what the others cannot
    low, high = 0.0, float((units / weights).max())
    while low < (middle := (low + high) / 2) < high:
        enough = np.clip(middle * weights, least, units).sum() >= n
        low, high = (low, middle) if enough else (middle, high)
    return _whole(np.clip(high * weights, least, units), n, units)


def _whole(share: F64, n: int, units: Labels) -> Labels:
    whole = np.floor(share + 1e-9).astype(np.int64)
    order = np.argsort(-np.round(share - whole, 9), kind="stable")
    while whole.sum() < n:
        for place in order[: n - int(whole.sum())]:
            whole[place] += int(whole[place] < units[place])
    return whole


def _bands(scores: F64, spread: F64, bands: int) -> Labels:
    """(m,) band numbers, rising with the score; equal scores share a band."""
    _, place = np.unique(scores, return_inverse=True)
    mass = np.cumsum(np.bincount(place, weights=spread))
    below = np.concatenate([[0.0], mass[:-1]]) / mass[-1] if len(mass) else mass
    return np.minimum((below * bands).astype(np.int64), bands - 1)[place]


def _merge(of: Labels, policy: Labels, n: int) -> tuple[Labels, Labels]:
    """Merge the smallest stratum into its smaller neighbour, of the same ``policy`` (h,) where there is one, until each
    has ``FLOOR`` units and n picks are enough."""
    units = np.bincount(of).astype(np.int64)
    into = np.arange(len(units))
    alive = list(range(len(units)))
    while len(alive) > 1 and (units[alive].min() < FLOOR or np.minimum(units[alive], FLOOR).sum() > n):
        place = int(np.argmin(units[alive]))
        around = [near for near in (place - 1, place + 1) if 0 <= near < len(alive)]
        mine = policy[alive[place]]
        other = min(around, key=lambda near: (policy[alive[near]] != mine, units[alive[near]]))
        small, large = alive[place], alive[other]
        units[large] += units[small]
        into[into == small] = large
        alive.pop(place)
    number = np.full(len(units), -1, dtype=np.int64)
    number[alive] = np.arange(len(alive))
    return number[into[of]], units[alive]


def _cells(frame: Frame, k: int) -> Labels:
    """(u,) the k-means cell of each unit's group: of its smallest row, for that does not depend on who represents."""
    if k == 1:
        return np.zeros(len(frame), dtype=np.int64)
    groups, place = np.unique(frame.group, return_inverse=True)
    return _assign(frame, groups, min(k, len(groups)))[place]


def _assign(frame: Frame, rows: Labels, k: int) -> Labels:
    step = -(-len(rows) // _SAMPLE_ROWS)
    sample = frame.vectors(rows[::step]).astype(np.float32)
    centroids = kmeans(sample, min(k, len(sample)), 0)[1]
    index = faiss.IndexFlatIP(centroids.shape[1])
    index.add(centroids)
    cells = np.empty(len(rows), dtype=np.int64)
    with one_thread():
        for start in range(0, len(rows), _SAMPLE_ROWS):
            part = slice(start, start + _SAMPLE_ROWS)
            cells[part] = index.search(frame.vectors(rows[part]).astype(np.float32), 1)[1][:, 0]
    return cells
