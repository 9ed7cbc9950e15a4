"""The model of a replay: one logistic regression a policy on frozen embeddings, and thresholds that match the priors.

Uncertainty ruins the class shares of what is labelled, so a threshold of 0.5 would be wrong; ``Priors`` tells them of
the whole pool.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from sklearn.linear_model import LogisticRegression

from selection.hashing import F64
from selection.strategies.base import Rows
from selection.types import F32, Bool

PENALTY = 3.0  # scikit-learn's C, and the default of the real head
TOLERANCE = 1e-5  # of the mean gradient: a looser one never starts to fit a rare policy
ITERATIONS = 1000


class ReplayHead:
    """Warm: each ``fit`` starts from the one before."""

    def __init__(self, policies: int) -> None:
        self._models = [
            LogisticRegression(C=PENALTY, tol=TOLERANCE, max_iter=ITERATIONS, warm_start=True) for _ in range(policies)
        ]
        self._constant: list[float | None] = [None] * policies

    def fit(self, embeddings: F32, answers: F32) -> None:
        """``answers`` (l, k): 1, 0 or NaN. A policy with one kind of answer only gets a constant near its share."""
        for column, model in enumerate(self._models):
            known = ~np.isnan(answers[:, column])
            mine = answers[known, column]
            positives = float(mine.sum())
            if 0 < positives < len(mine):
                model.fit(embeddings[known], mine)
                self._constant[column] = None
            else:
                self._constant[column] = float(np.log((positives + 0.5) / (len(mine) - positives + 0.5)))

    def logits(self, embeddings: F32) -> F64:
        """(n, d) to (n, k)."""
        columns = [
            np.full(len(embeddings), constant)
            if constant is not None
            else embeddings @ model.coef_[0].astype(np.float32) + np.float32(model.intercept_[0])
            for model, constant in zip(self._models, self._constant, strict=True)
        ]
        return np.stack(columns, axis=1).astype(np.float64)


class Priors:
    """The share of violating items in a pool, a policy each, while labels come in. Nothing is assumed of it.

    Known answers count as such. Of the rest two things tell: the labels that chance brought and the head. Choice takes
    violating items first, so what chance draws later comes from a poorer rest: each such label speaks for what was left
    when it was drawn, and so without bias for the pool. Asking by content leaves P(y|x) alone, so the head counts as
    all labels it learned from: few labels by chance say little about a rare policy.
    """

    def __init__(self, answerable: Bool) -> None:
        """``answerable`` (n, k): the pairs that have an answer."""
        self._left = answerable.copy()
        self._all = np.maximum(answerable.sum(axis=0), 1).astype(np.float64)
        self._violating = np.zeros(answerable.shape[1])
        self._told = np.zeros(answerable.shape[1])
        self._weight = np.zeros(answerable.shape[1])

    def add(self, rows: Rows, answers: F32, *, by_chance: bool) -> None:
        """``answers`` (r, k) of those rows, NaN where not answerable; ``by_chance``: drawn from all that was left."""
        violating = np.nansum(answers, axis=0)
        if by_chance:
            drawn = self._left[rows].sum(axis=0)
            left = np.maximum(self._left.sum(axis=0), 1) / self._all
            self._told += drawn * self._violating / self._all / left**2 + violating / left
            self._weight += drawn / left**2
        self._violating += violating
        self._left[rows] = False

    def shares(self, probabilities: F64) -> F64:
        """(k,), given what the head says of all (n, k) pairs. The error of a label by chance, and of the head, is in
        proportion to what was left: each weighs by its inverse square, the head as the labels it learned from do."""
        missing = self._left.sum(axis=0)
        head = (self._violating + np.where(self._left, probabilities, 0.0).sum(axis=0)) / self._all
        left, learned = missing / self._all, np.maximum(self._all - missing, 1)
        return cast(F64, (left**2 * self._told + learned * head) / (left**2 * self._weight + learned))


def matched_thresholds(logits: F64, shares: F64) -> F64:
    """(k,) thresholds on the logit that let as large a share of ``logits`` (n, k) through as violates."""
    inside = np.clip(1.0 - shares, 0.0, 1.0)
    return np.array([np.quantile(logits[:, j], inside[j]) for j in range(logits.shape[1])], np.float64)
