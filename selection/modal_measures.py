"""modAL's measures as strategies of the ``uncertain`` lane, and modAL's ActiveLearner around a real head.

Inside a round only probabilities exist, so ``ServedProbabilities`` hands them to modAL as a classifier would. Who
has a head and its embeddings uses ``active_learner``, ``utility``, ``query`` and ``teach``. modAL takes an unfitted
model for one that is sure (or unsure) of everything; here that is NotFitted. modAL's measures look at 0.5, not at
the policy's threshold. Importing this module imports torch where torch is installed, because modAL does.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt
from modAL.models import ActiveLearner
from modAL.uncertainty import (
    classifier_entropy,
    classifier_margin,
    classifier_uncertainty,
    entropy_sampling,
    margin_sampling,
    uncertainty_sampling,
)
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from selection.errors import BadPlan, BadPool, NotFitted
from selection.hashing import F64

Matrix = npt.NDArray[np.floating[Any]]


class Classifier(Protocol):
    """What modAL asks of a model: a scikit-learn classifier."""

    def fit(self, X: Matrix, y: npt.NDArray[Any]) -> object: ...

    def predict_proba(self, X: Matrix) -> Matrix: ...


class ServedProbabilities:
    """A classifier whose features *are* its class probabilities, (n, c) rows that add up to 1."""

    def predict_proba(self, X: F64) -> F64:
        if X.ndim != 2 or not np.allclose(X.sum(axis=1), 1.0, atol=1e-4):
            raise BadPool(f"probabilities: expected (n, classes) rows that add up to 1, found shape {X.shape}")
        return X


def least_confident_utility(probabilities: F64) -> F64:
    """modAL's classifier uncertainty, 1 - max(p, 1-p), doubled so that p = 0.5 gives 1."""
    return cast(F64, 2.0 * classifier_uncertainty(ServedProbabilities(), X=_classes(probabilities)))


def margin_utility(probabilities: F64) -> F64:
    """1 minus modAL's classifier margin, |p - (1-p)|."""
    return cast(F64, 1.0 - classifier_margin(ServedProbabilities(), X=_classes(probabilities)))


def entropy_utility(probabilities: F64) -> F64:
    """modAL's classifier entropy in bits, so that p = 0.5 gives 1."""
    return cast(F64, classifier_entropy(ServedProbabilities(), X=_classes(probabilities)) / np.log(2.0))


def active_learner(
    estimator: Classifier,
    X: Matrix | None = None,
    y: npt.NDArray[Any] | None = None,
    measure: str = "modal_least_confident",
) -> ActiveLearner:
    """modAL's ActiveLearner around a head, asking by ``measure``; fits it when X (n, d) and y (n,) are given.

    Without them the estimator must have been fitted already, or the first query raises NotFitted.
    """
    with known_warning():
        return ActiveLearner(estimator, query_strategy=_measure(measure)[1], X_training=X, y_training=y)


def utility(learner: ActiveLearner, X: Matrix, measure: str = "modal_least_confident") -> F64:
    """(n,) modAL's measure of the learner for each row of X, larger = more uncertain."""
    must_be_fitted(learner.estimator)
    values = _measure(measure)[0](learner, X)
    return cast(F64, 1.0 - values if measure == "modal_margin" else values)


def query(learner: ActiveLearner, X: Matrix, n: int) -> npt.NDArray[np.intp]:
    """Row numbers of the n rows of X the learner is least sure of."""
    must_be_fitted(learner.estimator)
    if not 0 < n <= len(X):
        raise BadPool(f"n: {n} rows cannot be picked from {len(X)}")
    return cast(npt.NDArray[np.intp], learner.query(X, n_instances=n)[0])


def teach(learner: ActiveLearner, X: Matrix, y: npt.NDArray[Any]) -> None:
    """Add labelled rows and fit the head again on all it has seen."""
    with known_warning():
        learner.teach(X, y)


def _classes(probabilities: F64) -> F64:
    return np.stack([1.0 - probabilities, probabilities], axis=1)


def _checked(strategy: Callable[..., Any]) -> Callable[..., Any]:
    def ask(classifier: ActiveLearner, X: Matrix, n_instances: int = 1) -> Any:
        must_be_fitted(classifier.estimator)
        return strategy(classifier, X, n_instances=n_instances)

    return ask


_MEASURES: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "modal_least_confident": (classifier_uncertainty, _checked(uncertainty_sampling)),
    "modal_margin": (classifier_margin, _checked(margin_sampling)),
    "modal_entropy": (classifier_entropy, _checked(entropy_sampling)),
}


def _measure(name: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    if name not in _MEASURES:
        raise BadPlan(f"measure: {name!r} is unknown (known: {', '.join(_MEASURES)})")
    return _MEASURES[name]


def must_be_fitted(estimator: object) -> None:
    try:
        check_is_fitted(estimator)
    except NotFittedError as error:
        raise NotFitted(f"{type(estimator).__name__} has not been trained yet; fit it before asking it") from error


@contextmanager
def known_warning() -> Iterator[None]:
    """modAL 0.4.2 passes scikit-learn an argument by its old name; that one warning says nothing to our users."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="'force_all_finite' was renamed", category=FutureWarning)
        yield
