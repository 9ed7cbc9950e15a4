"""Did it help? A share after a corrective action, from sampled decisions with known inclusion probability, held
against a target.

The share is Hajek's, ``sum(y / pi) / sum(1 / pi)``; the interval is Wilson's on Kish's effective n, ``(sum w)^2 / sum
w^2`` with ``w = 1 / pi``; where all or none count it is Clopper and Pearson's. Strata are not used: a slice cuts
across them, and spans days.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from labeling.errors import InvalidInput
from labeling.quality.intervals import (
    ENOUGH,
    FEW,
    INSUFFICIENT,
    Figure,
    clopper_pearson,
    lower_bound,
    upper_bound,
    wilson,
)

MOST_N = 1_000_000
F64 = npt.NDArray[np.float64]


class Proof(StrEnum):
    """What a figure says of a target."""

    VERIFIED = "verified"
    MISSED = "missed"
    OPEN = "not yet"


def weighted_share(counts: Sequence[bool], pi: Sequence[float], confidence: float = 0.95) -> Figure:
    """The share of n decisions that count, each with pi in (0, 1]. With ``FEW`` or fewer it is insufficient. Raises
    InvalidInput."""
    n, events = len(counts), sum(counts)
    effective, counted = kish(counts, pi)
    if n == 0:
        return Figure(None, 0.0, 1.0, 0, 0, "none", INSUFFICIENT)
    share = counted / effective
    exact = events in (0, n)
    low, high = (clopper_pearson if exact else wilson)(share * effective, effective, confidence)
    method = f"hajek, {'clopper-pearson' if exact else 'wilson'} on effective n {effective:.1f}"
    return Figure(share if n > FEW else None, low, high, n, events, method, ENOUGH if n > FEW else INSUFFICIENT)


def kish(counts: Sequence[bool], pi: Sequence[float]) -> tuple[float, float]:
    """Kish's effective n of decisions with pi in (0, 1], and Hajek's share of it that counts; 0 and 0 of none. Raises
    InvalidInput."""
    y, chances = np.asarray(counts, bool), np.asarray(pi, np.float64)
    if not ((chances > 0) & (chances <= 1)).all():
        raise InvalidInput("pi: every inclusion probability must lie in (0, 1]")
    if len(y) == 0:
        return 0.0, 0.0
    weights = 1.0 / chances
    effective = min(float(len(y)), float(weights.sum() ** 2 / (weights**2).sum()))
    return effective, effective * float((weights * y).sum() / weights.sum())


def proof(after: Figure, target: float, *, at_least: bool) -> Proof:
    """``verified`` when the whole interval lies on the target's good side, ``missed`` when it lies on the other; ``not
    yet`` between them, or where the figure is insufficient."""
    if after.value is None:
        return Proof.OPEN
    good, bad = (after.low >= target, after.high < target) if at_least else (after.high <= target, after.low > target)
    return Proof.VERIFIED if good else Proof.MISSED if bad else Proof.OPEN


def needed(share: float, target: float, *, at_least: bool, confidence: float = 0.975) -> int | None:
    """How many decisions, sampled evenly, would verify a target if the share stays what it is; None where it is not on
    the good side, or would take more than a million."""
    if (share <= target) if at_least else (share >= target):
        return None

    def proves(n: int) -> bool:
        if at_least:
            return lower_bound(share * n, n, confidence) >= target
        return upper_bound(share * n, n, confidence) <= target

    high = FEW + 1
    while not proves(high):
        high *= 2
        if high > MOST_N:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if proves(middle) else (middle, high)
    return max(FEW + 1, high)
