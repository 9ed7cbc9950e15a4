"""Fisher information: the picks that would tell a logistic head most about how it answers the whole pool."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from selection.hashing import F64
from selection.strategies.base import Candidates, Chosen, Rows
from selection.strategies.pointwise import adjusted
from selection.strategies.shortlist import PAIRWISE, at_threshold, by_chance, by_value, size
from selection.types import Bool

RIDGE = 1.0  # the prior precision of the head, as scikit-learn's C = 1
_DIGITS = 9  # gains, relative to the largest, that agree to this many are equal


def bait(candidates: Candidates, n: int, _: int) -> Chosen:
    """Each pick lowers the trace of (inverse information of what is labelled and chosen) times (that of the pool) most.

    BAIT's objective, with three simplifications: each policy has a head of its own (blocks of the information), there
    is the greedy forward pass without the backward one, and the pool is a random PAIRWISE of it."""
    p = adjusted(candidates.probabilities.astype(np.float64), candidates.thresholds)
    short = by_value(candidates, 2.0 * np.minimum(p, 1.0 - p), size(n, PAIRWISE))
    pool = by_chance(candidates, PAIRWISE)
    points, sample = short.unit().astype(np.float64), pool.unit().astype(np.float64)
    spread = np.where(candidates.open, p * (1.0 - p), 0.0)[short.rows]
    heads = [
        Head.made(points, spread[:, column], _of_pool(sample, p[pool.rows, column]), known)
        for column, known in enumerate(_known(candidates))
    ]
    order, policies = forward(points, heads, candidates.weights, candidates.open[short.rows], n)
    utilities = at_threshold(candidates)
    rows = short.rows[order]
    return Chosen(rows, policies, utilities[rows, policies], ((),) * len(rows))


@dataclass(frozen=True, slots=True)
class Head:
    """One policy's head: ``inverse`` (d, d) of the information so far, ``pool`` (d, d), ``spread`` (M,) p (1 - p) of
    each candidate, and of each ``q = x' inverse x`` and ``t = x' inverse pool inverse x``."""

    inverse: F64
    pool: F64
    spread: F64
    q: F64
    t: F64

    @staticmethod
    def made(points: F64, spread: F64, pool: F64, known: F64) -> Head:
        inverse = np.asarray(np.linalg.inv(known + RIDGE * np.eye(len(pool))), dtype=np.float64)
        half = points @ inverse
        q, t = np.einsum("ij,ij->i", half, points), np.einsum("ij,ij->i", half @ pool, half)
        return Head(inverse, pool, spread, q, t)

    def gains(self) -> F64:
        """(M,) by how much the trace falls when a candidate is added (Sherman-Morrison)."""
        return self.spread * self.t / (1.0 + self.spread * self.q)

    def trace(self) -> float:
        return float(np.einsum("ij,ji->", self.inverse, self.pool))

    def added(self, points: F64, row: int) -> Head:
        """With that candidate; O(M d)."""
        u = self.inverse @ points[row]
        w = self.inverse @ (self.pool @ u)
        share = float(self.spread[row] / (1.0 + self.spread[row] * self.q[row]))
        a, b = (points @ np.stack([u, w], axis=1)).T
        return replace(
            self,
            inverse=self.inverse - share * np.outer(u, u),
            q=self.q - share * a * a,
            t=self.t - 2.0 * share * a * b + share * share * float(u @ (self.pool @ u)) * a * a,
        )


def forward(points: F64, heads: list[Head], weights: F64, open_pairs: Bool, n: int) -> tuple[Rows, Rows]:
    """min(n, M) places and for each the policy whose weighted gain is largest."""
    left = np.array(open_pairs, dtype=bool)
    gains = np.stack([head.gains() for head in heads], axis=1) * weights
    places, policies = [], []
    for _ in range(min(n, len(points))):
        shown = np.where(left, np.round(gains / max(float(gains.max()), 1e-300), _DIGITS), -np.inf)
        place, policy = np.unravel_index(int(shown.argmax()), shown.shape)
        places.append(int(place))
        policies.append(int(policy))
        left[place] = False
        heads[policies[-1]] = heads[policies[-1]].added(points, places[-1])
        gains[:, policies[-1]] = heads[policies[-1]].gains() * weights[policies[-1]]
    return np.array(places, dtype=np.int64), np.array(policies, dtype=np.int64)


def _of_pool(points: F64, p: F64) -> F64:
    return (points.T * (p * (1.0 - p))) @ points / len(points)


def _known(candidates: Candidates) -> list[F64]:
    """For each policy the information (d, d) of the items labelled under it."""
    d, k = candidates.embeddings.shape[1], candidates.probabilities.shape[1]
    if candidates.labelled is None or len(candidates.labelled.embeddings) == 0:
        return [np.zeros((d, d))] * k
    points = candidates.labelled.embeddings.astype(np.float64)
    p = adjusted(candidates.labelled.probabilities.astype(np.float64), candidates.thresholds)
    spread = np.where(np.isnan(candidates.labelled.answers), 0.0, p * (1.0 - p))
    return [(points.T * spread[:, column]) @ points for column in range(k)]
