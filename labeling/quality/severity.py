"""How grave is it, when several people say that it violates? A median, because severities are ordered and no more."""

from __future__ import annotations

from collections.abc import Sequence


def weighted_severity(levels: Sequence[int], weights: Sequence[float]) -> int | None:
    """The upper weighted median: the least level that leaves less than half of the weight above it. Between two levels
    the graver one, because understating harm costs more (as ``labeling.consensus``, of which it is the form for equal
    weights). ``weights``: how far each person is believed, 0 or more; None without any weight. Raises ValueError for
    numbers of unequal length, or a weight below 0."""
    if len(levels) != len(weights):
        raise ValueError(f"{len(levels)} levels with {len(weights)} weights")
    if any(weight < 0 for weight in weights):
        raise ValueError("weights: a weight is below 0")
    total = sum(weights)
    if not total > 0:
        return None
    above = 0.0
    for level, weight in sorted(zip(levels, weights, strict=True), reverse=True):
        above += weight
        if 2 * above >= total * (1 - 1e-12):
            return level
    return None
