"""The lanes that leave it to chance, so that their picks may speak for the whole frame.

``random``, ``risk`` and ``stratified`` draw from all units, each with its own random numbers. A unit that any of them
could have brought has ``pi = 1 - prod(1 - pi_lane)``; only these lanes count, for what the others take depends on them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np

from selection.frame import Frame
from selection.hashing import F64, uniform
from selection.sampling import I64, either, on_grid, pps_draw, simple_random_draw
from selection.strata import Strata, stratify
from selection.types import LANES, Bool, Plan
from selection.whole import Whole


@dataclass(frozen=True, slots=True)
class Draw:
    """Which units chance took: ``lanes`` maps each lane of the plan to (u,), ``pi`` (u,) is every unit's probability of
    being taken by any of them; ``strata`` of the lane ``stratified``, None without it."""

    lanes: dict[str, Bool]
    pi: F64
    strata: Strata | None = None

    @property
    def taken(self) -> Bool:
        """(u,) the units that any lane took."""
        return cast(Bool, np.logical_or.reduce(list(self.lanes.values())))


def draw(
    frame: Frame, plan: Plan, sizes: Mapping[str, int], strata: Strata | None = None, whole: Whole | None = None
) -> Draw:
    """Draw ``sizes[lane]`` units for each of the three lanes, 0 where the plan has no such lane. ``strata``: those that
    ``stratify`` made of this frame, plan and size; without them they are made here. ``whole``: what is known of all
    units, where the frame holds but those that could be drawn; ``pi`` then refers to all (never with strata)."""
    n = sizes.get("stratified", 0)
    if n and strata is None:
        strata = stratify(frame, plan, n)
    drawn = {
        "random": _random(frame, plan, sizes.get("random", 0), whole),
        "risk": _risk(frame, plan, sizes.get("risk", 0), whole),
        "stratified": _stratified(frame, plan, strata if n else None),
    }
    pi: F64 = np.zeros(len(frame))
    for _, own in drawn.values():
        pi = either(pi, own)
    return Draw({name: taken for name, (taken, _) in drawn.items()}, pi, strata if n else None)


def _random(frame: Frame, plan: Plan, n: int, whole: Whole | None) -> tuple[Bool, F64]:
    taken = np.zeros(len(frame), dtype=bool)
    if n:
        taken[simple_random_draw(frame.uniforms(plan.seed, "random"), n)] = True
    return taken, np.full(len(frame), n / (len(frame) if whole is None else whole.units))


def _risk(frame: Frame, plan: Plan, n: int, whole: Whole | None) -> tuple[Bool, F64]:
    if not n:
        return np.zeros(len(frame), dtype=bool), np.zeros(len(frame))
    # The group's mean, not the representative's own: pi must not depend on who represents.
    sizes = risk_sizes(plan, frame.of_policy(plan.severities), frame.mean)
    numbers, start = frame.uniforms(plan.seed, "risk"), uniform(plan.seed, "risk start")
    return pps_draw(sizes, numbers, start, n, plan.risk_floor, None if whole is None else whole.mass)


def risk_sizes(plan: Plan, severities: F64, means: F64) -> I64:
    """(u,) what a unit counts in the lane ``risk``: severity times mean probability, on the grid."""
    return on_grid(severities * means, max(plan.severities.values()), plan.risk_floor)


def _stratified(frame: Frame, plan: Plan, strata: Strata | None) -> tuple[Bool, F64]:
    """Of each stratum the n_h units with the smallest numbers: a simple random sample, pi = n_h / N_h."""
    taken = np.zeros(len(frame), dtype=bool)
    if strata is None:
        return taken, np.zeros(len(frame))
    order = np.lexsort((frame.uniforms(plan.seed, "stratified"), strata.of))
    place = np.arange(len(frame)) - np.repeat(np.cumsum(strata.units) - strata.units, strata.units)
    taken[order[place < np.repeat(strata.picks, strata.units)]] = True
    return taken, (strata.picks / strata.units)[strata.of]


def split_budget(plan: Plan) -> dict[str, int]:
    """Picks per lane, adding up to the budget (largest remainders; ties go to the lane first in LANES)."""
    lanes = sorted(plan.lanes, key=lambda lane: LANES.index(lane.name))
    exact = {lane.name: plan.budget * lane.share for lane in lanes}
    sizes = {name: math.floor(value + 1e-9) for name, value in exact.items()}
    by_remainder = sorted(exact, key=lambda name: round(sizes[name] - exact[name], 9))
    for name in by_remainder[: plan.budget - sum(sizes.values())]:
        sizes[name] += 1
    return sizes
