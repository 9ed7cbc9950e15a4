"""How unsure a model is about each pair, largest first, spread by content: one pick per k-means cluster."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import cast

import numpy as np

from selection.diversity import spread
from selection.errors import BadPool
from selection.hashing import F64
from selection.strategies.base import Candidates, Chosen, best_policy, top
from selection.uncertainty import threshold_utility

SHORTLIST = 20  # candidates a pick, most uncertain first

Measure = Callable[[F64], F64]  # probabilities (m, k) to utilities in [0, 1], 1 = most uncertain, element by element


def threshold(candidates: Candidates, n: int, seed: int) -> Chosen:
    """The pairs nearest their operating threshold, ``exp(-|logit p - logit tau| / s)``, one per k-means cluster."""
    probabilities = candidates.probabilities.astype(np.float64)
    return _spread(candidates, threshold_utility(probabilities, candidates.thresholds, candidates.temperature), n, seed)


def modal_least_confident(candidates: Candidates, n: int, seed: int) -> Chosen:
    """modAL's classifier uncertainty, doubled; one pick per k-means cluster."""
    return _modal("least_confident_utility", candidates, n, seed)


def modal_margin(candidates: Candidates, n: int, seed: int) -> Chosen:
    """1 minus modAL's classifier margin; one pick per k-means cluster."""
    return _modal("margin_utility", candidates, n, seed)


def modal_entropy(candidates: Candidates, n: int, seed: int) -> Chosen:
    """modAL's classifier entropy in bits; one pick per k-means cluster."""
    return _modal("entropy_utility", candidates, n, seed)


def disagreement(candidates: Candidates, n: int, seed: int) -> Chosen:
    """``BALD / ln 2``, 1 where half of a committee is sure of yes and half of no; one pick per k-means cluster.

    Raises BadPool where no committee scored."""
    if candidates.disagreement is None:
        raise BadPool("disagreement: the pool has none; a plan that asks for it is refused by check_plan")
    return _spread(candidates, np.minimum(candidates.disagreement.astype(np.float64) / np.log(2), 1.0), n, seed)


def _modal(name: str, candidates: Candidates, n: int, seed: int) -> Chosen:
    measure = cast(Measure, getattr(importlib.import_module("selection.modal_measures"), name))
    flat = candidates.probabilities.astype(np.float64).ravel()
    return _spread(candidates, measure(flat).reshape(candidates.probabilities.shape), n, seed)


def _spread(candidates: Candidates, utilities: F64, n: int, seed: int) -> Chosen:
    policies, values = best_policy(candidates, utilities)
    shortlist = top(values, candidates.ties, SHORTLIST * n)
    found = spread(candidates.vectors(shortlist), n, seed)
    rows = shortlist[found.rows]
    reasons = [() if cluster < 0 else (f"diverse: cluster {cluster}",) for cluster in found.clusters.tolist()]
    mine = policies[rows]
    notes = (found.note,) if found.note else ()
    return Chosen(rows, mine, utilities[rows, mine], tuple(reasons), notes)
