"""How far a share moved between two independent samples.

The interval puts together those of the two shares (MOVER: Zou and Donner, Statistics in Medicine 27, 2008; with
Wilson's intervals it is Newcombe's method 10), so each share keeps the interval that suits how it was sampled.
"""

from __future__ import annotations

import math

from labeling.quality.intervals import ENOUGH, INSUFFICIENT, Figure

METHOD = "mover, of the two intervals"


def change(before: Figure, after: Figure) -> Figure:
    """``after`` less ``before``, within [-1, 1]; insufficient where one of the two is. An end that one of them lacks is
    lacking here too (not a number). ``n``: both together."""
    n, events = before.n + after.n, before.events + after.events
    low, high = _ends(before, after)
    if before.value is None or after.value is None:
        return Figure(None, low, high, n, events, METHOD, INSUFFICIENT)
    return Figure(after.value - before.value, low, high, n, events, METHOD, ENOUGH)


def _ends(before: Figure, after: Figure) -> tuple[float, float]:
    """Where a share has no value its interval's middle stands for it."""
    if not all(map(math.isfinite, (before.low, before.high, after.low, after.high))):
        return math.nan, math.nan
    b, a = (_middle(one) for one in (before, after))
    low = a - b - math.hypot(a - after.low, before.high - b)
    high = a - b + math.hypot(after.high - a, b - before.low)
    return max(-1.0, low), min(1.0, high)


def _middle(figure: Figure) -> float:
    return (figure.low + figure.high) / 2 if figure.value is None else figure.value
