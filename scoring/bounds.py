"""How much a cascade may lose, exactly: binomial bounds and the order statistic that meets one."""

from __future__ import annotations

import math

from scipy.stats import beta

CONFIDENCE = 0.95


def upper_bound(k: int, n: int, confidence: float = CONFIDENCE) -> float:
    """One-sided upper bound of a share of which k of n were seen (Clopper and Pearson 1934)."""
    _check(k, n)
    return 1.0 if k >= n else float(beta.ppf(confidence, k + 1, n - k))


def lower_bound(k: int, n: int, confidence: float = CONFIDENCE) -> float:
    """One-sided lower bound of a share of which k of n were seen."""
    _check(k, n)
    return 0.0 if k == 0 else float(beta.ppf(1 - confidence, k, n - k + 1))


def losses_allowed(n: int, allowed: float, confidence: float = CONFIDENCE) -> int:
    """The most of n positives that may be lost while the upper bound stays at or below ``allowed``; -1 when even none
    lost bounds less tightly.

    The cut at the (k + 1)-th smallest of n margins loses a share that is Beta(k + 1, n - k) distributed, whatever the
    margins are (Wilks 1941, "Determination of sample sizes for setting tolerance limits"), so that choosing k by n
    alone, before a margin is seen, keeps the bound exact though the cut is read from the same sample.
    """
    if not 0 < allowed < 1:
        raise ValueError(f"allowed must lie between 0 and 1, not {allowed}")
    k = -1
    while k + 1 < n and upper_bound(k + 1, n, confidence) <= allowed:
        k += 1
    return k


def positives_needed(allowed: float, confidence: float = CONFIDENCE) -> int:
    """The fewest positives that bound the loss at ``allowed`` when none of them is lost: 598 for 0.5 %."""
    if not 0 < allowed < 1:
        raise ValueError(f"allowed must lie between 0 and 1, not {allowed}")
    return math.ceil(math.log(1 - confidence) / math.log(1 - allowed))


def _check(k: int, n: int) -> None:
    if not 0 <= k <= n:
        raise ValueError(f"{k} of {n}: expected 0 <= k <= n")
