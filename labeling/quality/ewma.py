"""Does somebody answer as they used to? An EWMA chart with 3-sigma limits.

z_t = w x_t + (1 - w) z_(t-1), z_0 = the target; x_t is the mean of the t-th ``BATCH`` answers. The exact variance of
z_t is sigma^2 / BATCH * w / (2 - w) * (1 - (1 - w)^(2t)) (Montgomery, Introduction to Statistical Quality Control,
9.2), so the limits are narrow at first. Two things are ours. Answers are charted in batches, because single ones,
right or wrong, are too skewed for 3 sigma: one error of a 95 % person is 4 of them. And the target is no constant but
the mean of the first ``BASELINE`` answers with ``PRIOR`` more at the crowd's rate, so its own variance, sigma^2 /
(BASELINE + PRIOR) * (1 - (1 - w)^t)^2, is added.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from labeling.quality.intervals import ENOUGH, FEW, INSUFFICIENT, Figure

WEIGHT, SIGMAS, BATCH = 0.1, 3.0, 10
BASELINE, PRIOR = 50, 20
State = Literal["steady", "below", "above", "insufficient"]
METHOD = f"EWMA of means of {BATCH} answers, weight {WEIGHT:g}, {SIGMAS:g}-sigma limits with the exact variance"


@dataclass(frozen=True, slots=True)
class Chart:
    """``figure``: z after the last whole batch, between the limits that hold there; ``n`` answers are charted, and
    ``events`` of them lie in batches after which z was outside. ``state``: where z is now. ``since``: the number of the
    charted answer (from 1) from which on it has been there, None while it is inside."""

    state: State
    target: float
    figure: Figure
    since: int | None

    def as_dict(self) -> dict[str, object]:
        """JSON-able."""
        told = {"state": self.state, "target": self.target, "since": self.since}
        return {**told, "figure": self.figure.as_dict()}


def reach(t: int, sigma: float, target_variance: float = 0.0, weight: float = WEIGHT) -> float:
    """How far from the target the limits are after the t-th point (from 1) of a series with that sigma."""
    left = (1 - weight) ** t
    variance = sigma**2 * weight / (2 - weight) * (1 - left**2) + target_variance * (1 - left) ** 2
    return SIGMAS * math.sqrt(variance)


def chart(right: Sequence[float], crowd: float) -> Chart:
    """``right`` (n,) in [0, 1]: how likely each answer was right, in the order in which they were given; ``crowd``: the
    mean of everybody's. The first ``BASELINE`` are not charted, nor the last ones that fill no batch; with ``FEW``
    charted answers or fewer the state is insufficient."""
    first, rest = right[:BASELINE], right[BASELINE:]
    weight = len(first) + PRIOR
    target = (sum(first) + PRIOR * crowd) / weight
    spread = max(target * (1 - target), 1e-4)  # of answers that are right or wrong; softer ones spread less
    z, outside, since, side = target, 0, None, "steady"
    bound = reach(1, math.sqrt(spread / BATCH), spread / weight)
    points = len(rest) // BATCH
    for t in range(1, points + 1):
        z = WEIGHT * sum(rest[(t - 1) * BATCH : t * BATCH]) / BATCH + (1 - WEIGHT) * z
        bound = reach(t, math.sqrt(spread / BATCH), spread / weight)
        now = "below" if z < target - bound else "above" if z > target + bound else "steady"
        outside += BATCH * (now != "steady")
        since = None if now == "steady" else since if now == side else (t - 1) * BATCH + 1
        side = now
    n, low, high = points * BATCH, max(0.0, target - bound), min(1.0, target + bound)
    if n <= FEW:
        return Chart("insufficient", target, Figure(None, low, high, n, outside, METHOD, INSUFFICIENT), None)
    return Chart(_state(side), target, Figure(z, low, high, n, outside, METHOD, ENOUGH), since)


def _state(side: str) -> State:
    return "below" if side == "below" else "above" if side == "above" else "steady"
