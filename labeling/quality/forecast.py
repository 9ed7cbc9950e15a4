"""What more labels are worth: the learning curve of the models so far, drawn on.

``score = a + b log(labels)`` by weighted least squares. Such a curve never levels off, as real ones do, so the forecast
errs on the high side: when even it says stop, stop.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

LEAST_POINTS = 3
MOST_POINTS = 6  # the newest: an early model says little of the next labels
Z = 1.959964
Verdict = Literal["stop", "go on", "cannot tell", "refused"]


@dataclass(frozen=True, slots=True)
class Point:
    """A model's score on held-out gold in [0, 1], the standard error of it, and the labels it learnt from."""

    labels: int
    score: float
    error: float

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the score (normal), within [0, 1]."""
        return max(self.score - Z * self.error, 0.0), min(self.score + Z * self.error, 1.0)


@dataclass(frozen=True, slots=True)
class Forecast:
    """``value``: what ``more`` labels are worth, in points (hundredths of the score), with its 95 % interval; ``n``
    points of the curve were used. ``verdict`` "refused": there is no value, and ``reason`` says why."""

    verdict: Verdict
    reason: str
    more: int
    n: int = 0
    value: float | None = None
    low: float | None = None
    high: float | None = None


def forecast(points: Sequence[Point], more: int, worth: float = 0.5) -> Forecast:
    """From models in the order they were made. Verdict "stop": even the upper end is below ``worth`` points; "go on":
    the lower end is above it. Points of the same number of labels: the newest counts. Raises ValueError for ``more``
    below 1."""
    if more < 1:
        raise ValueError(f"more: {more} is not a positive number of labels")
    curve = sorted({point.labels: point for point in points if point.labels > 0}.values(), key=lambda p: p.labels)
    curve = curve[-MOST_POINTS:]
    if len(curve) < LEAST_POINTS:
        needed = f"a curve needs {LEAST_POINTS} models of different numbers of labels with scores on dev"
        reason = f"{needed}, and has {len(curve)}"
        return Forecast("refused", reason, more, len(curve))
    slope, error = _slope(curve)
    step = 100 * math.log1p(more / curve[-1].labels)
    gain, reach = slope * step, Z * error * step
    low, high = gain - reach, gain + reach
    verdict: Verdict = "stop" if high < worth else "go on" if low > worth else "cannot tell"
    reason = f"another {more} labels are worth {gain:+.1f} +- {reach:.1f} points"
    return Forecast(verdict, reason, more, len(curve), gain, low, high)


def _slope(curve: Sequence[Point]) -> tuple[float, float]:
    """b and its standard error, made wider where the points lie further from the line than their errors say."""
    x = np.log([point.labels for point in curve])
    y = np.array([point.score for point in curve])
    weights = 1.0 / np.maximum([point.error for point in curve], 1e-4) ** 2
    middle = (weights * x).sum() / weights.sum()
    spread = float((weights * (x - middle) ** 2).sum())
    slope = float((weights * (x - middle) * y).sum() / spread)
    level = (weights * y).sum() / weights.sum()
    chi2 = float((weights * (y - level - slope * (x - middle)) ** 2).sum())
    return slope, math.sqrt(max(1.0, chi2 / (len(curve) - 2)) / spread)
