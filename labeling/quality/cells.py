"""Many cells at once: which hold more events than the rest, at a stated rate of false discoveries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import false_discovery_control, fisher_exact


@dataclass(frozen=True, slots=True)
class Enrichment:
    """A cell beside its complement: ``lift`` of the rates (infinite where the complement has none), and the one-sided
    p of Fisher's exact test."""

    lift: float
    p: float


def enrichment(events: int, n: int, other_events: int, other_n: int) -> Enrichment:
    """``events`` of ``n`` in the cell, ``other_events`` of ``other_n`` outside it; n and other_n are 1 or more."""
    table = np.array([[events, n - events], [other_events, other_n - other_events]])
    rate, other = events / n, other_events / other_n
    lift = rate / other if other else (float("inf") if rate else float("nan"))
    return Enrichment(lift, float(fisher_exact(table, alternative="greater").pvalue))


def discoveries(p_values: Sequence[float], rate: float = 0.1) -> tuple[int, ...]:
    """The places of those that stand at a false-discovery rate (Benjamini and Hochberg 1995), in order."""
    if not len(p_values):
        return ()
    return tuple(np.flatnonzero(false_discovery_control(p_values, method="bh") <= rate).tolist())
