from __future__ import annotations

import warnings

import numpy as np
import pytest
from modAL.models import ActiveLearner
from modAL.uncertainty import entropy_sampling, margin_sampling, uncertainty_sampling
from sklearn.linear_model import LogisticRegression

from selection.errors import BadPlan, BadPool, NotFitted
from selection.modal_measures import (
    ServedProbabilities,
    active_learner,
    entropy_utility,
    least_confident_utility,
    margin_utility,
    query,
    teach,
    utility,
)
from tests.selection.made import made_pool

MEASURES = {
    "modal_least_confident": uncertainty_sampling,
    "modal_margin": margin_sampling,
    "modal_entropy": entropy_sampling,
}
UTILITIES = {
    "modal_least_confident": least_confident_utility,
    "modal_margin": margin_utility,
    "modal_entropy": entropy_utility,
}
POOL = made_pool(n=400, copies=0)
X = POOL.embeddings.astype(np.float64)
Y = (POOL.probabilities[:, 0] + X[:, 0] > 0.3).astype(int)


@pytest.mark.parametrize("name", MEASURES)
def test_a_strategy_ranks_as_modal_itself_does(name: str) -> None:
    """The lane's strategy on a head's probabilities picks what modAL's own query picks with that head."""
    head = LogisticRegression().fit(X[:100], Y[:100])
    theirs = ActiveLearner(head, query_strategy=MEASURES[name]).query(X, n_instances=20)[0]
    ours = UTILITIES[name](head.predict_proba(X)[:, 1])
    assert set(np.argsort(-ours, kind="stable")[:20].tolist()) == set(theirs.tolist())


@pytest.mark.parametrize("name", MEASURES)
def test_a_real_head_asks_learns_and_asks_again(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        learner = active_learner(LogisticRegression(), X[:50], Y[:50], name)
        first = query(learner, X, 10)
        teach(learner, X[first], Y[first])
        second = query(learner, X, 10)
    assert len(set(first.tolist())) == 10
    assert len(learner.X_training) == 60
    assert first.tolist() != second.tolist()
    unsure = utility(learner, X, name)
    assert set(np.argsort(-unsure)[:10].tolist()) == set(second.tolist())


@pytest.mark.parametrize("name", MEASURES)
def test_an_unfitted_head_is_not_taken_for_a_sure_one(name: str) -> None:
    learner = active_learner(LogisticRegression(), measure=name)
    for ask in (lambda: query(learner, X, 3), lambda: utility(learner, X, name), lambda: learner.query(X)):
        with pytest.raises(NotFitted, match="LogisticRegression has not been trained yet"):
            ask()


def test_served_probabilities_must_add_up() -> None:
    with pytest.raises(BadPool, match="add up to 1"):
        ServedProbabilities().predict_proba(np.array([[0.5, 0.6]]))


def test_unknown_measures_and_sizes_are_refused() -> None:
    with pytest.raises(BadPlan, match="'batch' is unknown"):
        active_learner(LogisticRegression(), measure="batch")
    learner = active_learner(LogisticRegression(), X[:50], Y[:50])
    with pytest.raises(BadPool, match="401 rows cannot be picked from 400"):
        query(learner, X, 401)
