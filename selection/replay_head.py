"""The model of a replay: one logistic regression a policy on frozen embeddings, and thresholds that match the priors.

Uncertainty ruins the class shares of what is labelled, so a threshold of 0.5 would be wrong; the prior comes from the
labels that chance alone brought.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from sklearn.linear_model import LogisticRegression

from selection.hashing import F64
from selection.types import F32, Bool

PENALTY = 3.0  # scikit-learn's C, and the default of the real head
TOLERANCE = 1e-5  # of the mean gradient: a looser one never starts to fit a rare policy
ITERATIONS = 1000
MODEL_LABELS = 100.0


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


def priors(answers: F32, by_chance: Bool, probabilities: F64) -> F64:
    """(k,) shares of violating items, from the labels that chance brought and from what the head says of the pool.

    ``answers`` (l, k), ``by_chance`` (l,), ``probabilities`` (n, k). The head counts as much as ``MODEL_LABELS`` labels
    do: asking by content leaves P(y|x) alone, so its mean is no worse than its fit, while few labels by chance say
    little about a rare policy. Nothing is assumed.
    """
    mine = answers[by_chance]
    known = (~np.isnan(mine)).sum(axis=0)
    return cast(F64, (np.nansum(mine, axis=0) + MODEL_LABELS * probabilities.mean(axis=0)) / (known + MODEL_LABELS))


def matched_thresholds(logits: F64, shares: F64) -> F64:
    """(k,) thresholds on the logit that let as large a share of ``logits`` (n, k) through as violates."""
    inside = np.clip(1.0 - shares, 0.0, 1.0)
    return np.array([np.quantile(logits[:, j], inside[j]) for j in range(logits.shape[1])], np.float64)
