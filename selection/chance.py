"""The lanes that leave it to chance, so that their picks may speak for the whole frame: ``random`` and ``risk``.

Both draw from all units, each with its own random numbers. A unit either could have brought has
``pi = 1 - (1 - pi_random)(1 - pi_risk)``; only these two lanes count, for what the others take depends on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from selection.frame import Frame
from selection.hashing import F64, uniform
from selection.sampling import either, pps_probabilities, simple_random_draw, systematic_draw
from selection.types import Bool, Plan


@dataclass(frozen=True, slots=True)
class Draw:
    """Which units chance took, (u,) each: by ``random``, by ``risk``; and every unit's ``pi`` of being taken."""

    random: Bool
    risk: Bool
    pi: F64


def draw(frame: Frame, plan: Plan, sizes: Mapping[str, int]) -> Draw:
    """Draw ``sizes["random"]`` and ``sizes["risk"]`` units, each 0 where the plan has no such lane."""
    u = len(frame)
    random, risk = np.zeros(u, dtype=bool), np.zeros(u, dtype=bool)
    equal: F64 = np.zeros(u)
    by_size: F64 = np.zeros(u)
    n = sizes.get("random", 0)
    if n:
        equal[:] = n / u
        random[simple_random_draw(frame.uniforms(plan.seed, "random"), n)] = True
    n = sizes.get("risk", 0)
    if n:
        # The group's mean, not the representative's own: pi must not depend on who represents.
        by_size = pps_probabilities(frame.of_policy(plan.severities) * frame.mean, n, plan.risk_floor)
        order = frame.uniforms(plan.seed, "risk")
        risk[systematic_draw(by_size, order, uniform(plan.seed, "risk start"))] = True
    return Draw(random=random, risk=risk, pi=either(equal, by_size))
