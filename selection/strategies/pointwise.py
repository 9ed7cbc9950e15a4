"""Strategies that look at each item alone and take the best n: how unsure the model is, or nothing but chance.

The first three are measured where the decision is taken: probabilities move in logit space until the operating
threshold lies at 0.5 (as when a prior is changed). For a yes-or-no question least confidence and margin are the same
number and entropy ranks as they do; they part where severities weigh one policy's value against another's.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from scipy.special import expit

from selection.hashing import F64, uniforms
from selection.strategies.base import Candidates, Chosen
from selection.strategies.exact import GRID, dots, grid
from selection.strategies.shortlist import Short, at_threshold, by_value
from selection.uncertainty import logit

_BLOCK = 8192  # rows at a time


def adjusted(probabilities: F64, thresholds: F64) -> F64:
    """(m, k) ``sigmoid(logit p - logit tau)``: a probability at its threshold becomes 0.5."""
    return expit(logit(probabilities) - logit(thresholds))


def bits(p: F64) -> F64:
    """Entropy of a yes-or-no answer in bits: 0 at p = 0 and p = 1, 1 at p = 0.5."""
    inside = np.clip(p, 1e-12, 1.0 - 1e-12)
    found = -(inside * np.log2(inside) + (1.0 - inside) * np.log2(1.0 - inside))
    return cast(F64, np.where((p > 0) & (p < 1), found, 0.0))


def least_confidence(candidates: Candidates, n: int, _: int) -> Chosen:
    """The lowest probability of the likelier answer, at the operating threshold: ``2 min(p', 1 - p')``."""
    p = _adjusted(candidates)
    return _best(candidates, 2.0 * np.minimum(p, 1.0 - p), n)


def margin(candidates: Candidates, n: int, _: int) -> Chosen:
    """The smallest distance between the two answers, at the operating threshold: ``1 - |p' - (1 - p')|``."""
    return _best(candidates, 1.0 - np.abs(2.0 * _adjusted(candidates) - 1.0), n)


def entropy(candidates: Candidates, n: int, _: int) -> Chosen:
    """The largest entropy of the answer in bits, at the operating threshold."""
    return _best(candidates, bits(_adjusted(candidates)), n)


def density(candidates: Candidates, n: int, _: int) -> Chosen:
    """Uncertainty at the threshold times the mean cosine to all candidates: unsure and typical."""
    near = np.maximum(mean_cosines(candidates), 0.0)
    return _best(candidates, at_threshold(candidates) * near[:, None], n)


def random(candidates: Candidates, n: int, seed: int) -> Chosen:
    """Chance alone, for items and policies; only the lane ``random`` has a known probability."""
    utilities = at_threshold(candidates)
    hashes = np.ascontiguousarray(candidates.ties).view(np.uint64)
    luck = np.stack([uniforms(hashes, seed, "policy", column) for column in range(utilities.shape[1])], axis=1)
    policies = np.where(candidates.open, luck, -1.0).argmax(axis=1).astype(np.int64)
    values = uniforms(hashes, seed, "random")
    rows = np.argsort(-values, kind="stable")[:n]
    return Short(candidates, utilities, policies, rows, values[rows]).chosen(np.arange(len(rows)), n)


def mean_cosines(candidates: Candidates) -> F64:
    """(m,) of each item to all candidates, itself included. Whole numbers throughout, so the order adds nothing."""
    m, d = len(candidates), candidates.embeddings.shape[1]
    total = np.zeros(d)
    for start in range(0, m, _BLOCK):
        total += grid(candidates.vectors(slice(start, start + _BLOCK))).sum(axis=0, dtype=np.float64)
    return dots(candidates.vectors, m, total) / (m * GRID**2)


def _adjusted(candidates: Candidates) -> F64:
    return adjusted(candidates.probabilities.astype(np.float64), candidates.thresholds)


def _best(candidates: Candidates, utilities: F64, n: int) -> Chosen:
    short = by_value(candidates, utilities, n)
    return short.chosen(np.arange(len(short)), n)
