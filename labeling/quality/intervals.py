"""Intervals of a share: k of n, and how many answers a wanted precision needs.

Wilson's score interval (1927) in between; the exact interval of Clopper and Pearson (1934) when none or all of n are
events, where Wilson's is too short. Up to ``FEW`` answers there is no figure at all, only "insufficient".
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.stats import beta, gamma, norm

FEW = 12  # this many answers or fewer cannot carry a figure
ENOUGH = "ok"
INSUFFICIENT = "insufficient"


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that says how far it can be trusted.

    ``value`` is None when the verdict is "insufficient"; the interval [low, high] is there all the same.
    ``n``: answers behind it, of which ``events`` count.
    """

    value: float | None
    low: float
    high: float
    n: int
    events: int
    method: str
    verdict: str

    def as_dict(self) -> dict[str, object]:
        """The fields by name, as JSON has them: an end that is not there (infinite, or not a number) is None."""
        told = {name: getattr(self, name) for name in self.__slots__}
        return told | {name: told[name] if math.isfinite(told[name]) else None for name in ("low", "high")}


def proportion(k: int, n: int, confidence: float = 0.95) -> Figure:
    """The share k/n with its two-sided interval."""
    check_counts(k, n)
    exact = k in (0, n)
    low, high = clopper_pearson(k, n, confidence) if exact else wilson(k, n, confidence)
    method = "clopper-pearson" if exact else "wilson"
    if n <= FEW:
        return Figure(None, low, high, n, k, method, INSUFFICIENT)
    return Figure(k / n, low, high, n, k, method, ENOUGH)


def wilson(k: float, n: float, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval, two-sided. Neither k nor n need be whole."""
    check_counts(k, n)
    if n == 0:
        return 0.0, 1.0
    z = _z(confidence)
    middle = (k + z * z / 2) / (n + z * z)
    reach = z * math.sqrt(k * (n - k) / n + z * z / 4) / (n + z * z)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def newcombe(k1: float, n1: float, k2: float, n2: float, confidence: float = 0.95) -> tuple[float, tuple[float, float]]:
    """The gap k1/n1 - k2/n2 of two independent shares, and its interval (Newcombe 1998, method 10: the two Wilson
    intervals put together), within [-1, 1]. Both n are above 0; nothing need be whole."""
    p1, p2 = k1 / n1, k2 / n2
    (l1, u1), (l2, u2) = wilson(k1, n1, confidence), wilson(k2, n2, confidence)
    gap = p1 - p2
    low = gap - math.hypot(p1 - l1, u2 - p2)
    high = gap + math.hypot(u1 - p1, p2 - l2)
    return gap, (max(-1.0, low), min(1.0, high))


def clopper_pearson(k: float, n: float, confidence: float = 0.95) -> tuple[float, float]:
    """The exact interval, two-sided: each tail holds (1 - confidence) / 2."""
    tail = (1 - confidence) / 2
    return lower_bound(k, n, 1 - tail), upper_bound(k, n, 1 - tail)


def poisson_ratio(count: int, expected: float, confidence: float = 0.95) -> tuple[float, float]:
    """The exact interval of how many times ``expected`` (above 0) the mean behind a count is (Garwood 1936)."""
    tail = (1 - confidence) / 2
    low = float(gamma.ppf(tail, count)) if count else 0.0
    return low / expected, float(gamma.ppf(1 - tail, count + 1)) / expected


def upper_bound(k: float, n: float, confidence: float = 0.95) -> float:
    """The exact one-sided upper bound."""
    check_counts(k, n)
    return 1.0 if k >= n else float(beta.ppf(confidence, k + 1, n - k))


def lower_bound(k: float, n: float, confidence: float = 0.95) -> float:
    """The exact one-sided lower bound."""
    check_counts(k, n)
    return 0.0 if k <= 0 else float(beta.ppf(1 - confidence, k, n - k + 1))


def sample_size(share: float, half_width: float, confidence: float = 0.95) -> int:
    """The fewest answers whose Wilson interval is at most ``half_width`` to each side, if ``share`` is what is found.

    ``share`` in [0, 1], ``half_width`` in (0, 0.5).
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share: {share} is not between 0 and 1")
    if not 0 < half_width < 0.5:
        raise ValueError(f"half_width: {half_width} is not between 0 and 0.5")
    high = 1
    while _reach(share, high, confidence) > half_width:
        high *= 2
    low = high // 2  # too few, or 0
    while high - low > 1:
        middle = (low + high) // 2
        if _reach(share, middle, confidence) > half_width:
            low = middle
        else:
            high = middle
    return high


def check_counts(k: float, n: float) -> None:
    """Raise ValueError unless 0 <= k <= n."""
    if not 0 <= k <= n:
        raise ValueError(f"{k} of {n}: expected 0 <= k <= n")


def _reach(share: float, n: int, confidence: float) -> float:
    z = _z(confidence)
    return z * math.sqrt(n * share * (1 - share) + z * z / 4) / (n + z * z)


def _z(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence: {confidence} is not between 0 and 1")
    return float(norm.ppf((1 + confidence) / 2))
