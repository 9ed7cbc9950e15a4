"""modAL's Committee, around members whose probabilities are served and around real heads.

Like ``modal_measures``: inside a round only the members' probabilities exist, so ``ServedMember`` hands them to modAL
as a classifier would; who has heads and embeddings uses ``committee``, ``query`` and ``teach``. modAL takes an unfitted
committee for one that agrees on everything; here that is NotFitted. Votes are cast at 0.5.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from modAL.disagreement import (
    KL_max_disagreement,
    consensus_entropy,
    consensus_entropy_sampling,
    max_disagreement_sampling,
    vote_entropy,
    vote_entropy_sampling,
)
from modAL.models import ActiveLearner, Committee

from selection.errors import BadPlan, BadPool
from selection.hashing import F64
from selection.modal_measures import Classifier, Matrix, known_warning, must_be_fitted
from selection.types import F32

_SAMPLING: dict[str, Callable[..., Any]] = {
    "modal_vote_entropy": vote_entropy_sampling,
    "modal_consensus_entropy": consensus_entropy_sampling,
    "modal_max_disagreement": max_disagreement_sampling,
}


class ServedMember:
    """A classifier of the answers 0 and 1 whose features are row numbers (n, 1) into ``probabilities`` (r,)."""

    classes_ = np.array([0, 1])

    def __init__(self, probabilities: F64) -> None:
        self._probabilities = probabilities

    def predict_proba(self, X: npt.NDArray[np.int64]) -> F64:
        p = self._probabilities[X[:, 0]]
        return np.stack([1.0 - p, p], axis=1)

    def predict(self, X: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        return (self._probabilities[X[:, 0]] >= 0.5).astype(np.int64)


def vote_entropy_utility(members: F32) -> F64:
    """(r,) modAL's vote entropy of (c, r) members' probabilities, in bits."""
    return _served(vote_entropy, members)


def consensus_entropy_utility(members: F32) -> F64:
    """(r,) modAL's consensus entropy of (c, r) members' probabilities, in bits."""
    return _served(consensus_entropy, members)


def max_disagreement_utility(members: F32) -> F64:
    """(r,) modAL's largest KL divergence of a member from the consensus, of (c, r) probabilities, in bits."""
    return _served(KL_max_disagreement, members)


def committee(
    estimators: Sequence[Classifier],
    X: Matrix | None = None,
    y: npt.NDArray[Any] | None = None,
    measure: str = "modal_vote_entropy",
) -> Committee:
    """modAL's Committee of ActiveLearners, asking by ``measure``. With X (n, d) and y (n,) every learner is fitted on
    them (give the estimators different seeds or kinds); without, they must have been fitted, or asking is NotFitted."""
    if measure not in _SAMPLING:
        raise BadPlan(f"measure: {measure!r} is unknown (known: {', '.join(_SAMPLING)})")
    with known_warning():
        learners = [ActiveLearner(estimator, X_training=X, y_training=y) for estimator in estimators]
        return Committee(learners, query_strategy=_SAMPLING[measure])


def query(members: Committee, X: Matrix, n: int) -> npt.NDArray[np.intp]:
    """Row numbers of the n rows of X on which the committee disagrees most."""
    for learner in members:
        must_be_fitted(learner.estimator)
    if not 0 < n <= len(X):
        raise BadPool(f"n: {n} rows cannot be picked from {len(X)}")
    return cast(npt.NDArray[np.intp], members.query(X, n_instances=n)[0])


def teach(members: Committee, X: Matrix, y: npt.NDArray[Any]) -> None:
    """Add labelled rows and fit every member again on all it has seen."""
    with known_warning():
        members.teach(X, y)


def _served(measure: Callable[..., Any], members: F32) -> F64:
    estimators = [ServedMember(member.astype(np.float64)) for member in members]
    served = Committee([ActiveLearner(estimator) for estimator in estimators])
    rows = np.arange(members.shape[1]).reshape(-1, 1)
    return cast(F64, measure(served, rows) / np.log(2.0))
