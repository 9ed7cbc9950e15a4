from __future__ import annotations

import warnings

import numpy as np
import pytest
from modAL.disagreement import KL_max_disagreement, consensus_entropy, vote_entropy
from modAL.models import ActiveLearner, Committee
from sklearn.linear_model import LogisticRegression

from selection.errors import BadPlan, BadPool, NotFitted
from selection.modal_committee import (
    committee,
    consensus_entropy_utility,
    max_disagreement_utility,
    query,
    teach,
    vote_entropy_utility,
)
from tests.selection.made import made_pool

MEASURES = {
    "modal_vote_entropy": (vote_entropy, vote_entropy_utility),
    "modal_consensus_entropy": (consensus_entropy, consensus_entropy_utility),
    "modal_max_disagreement": (KL_max_disagreement, max_disagreement_utility),
}
POOL = made_pool(n=400, copies=0)
X = POOL.embeddings.astype(np.float64)
Y = (POOL.probabilities[:, 0] + X[:, 0] > 0.3).astype(int)


def heads() -> list[LogisticRegression]:
    return [LogisticRegression(C=c) for c in (0.01, 1.0, 100.0)]


@pytest.mark.parametrize("name", MEASURES)
def test_served_members_measure_as_modal_does_with_the_heads_themselves(name: str) -> None:
    fitted = [head.fit(X[:100], Y[:100]) for head in heads()]
    theirs = MEASURES[name][0](Committee([ActiveLearner(head) for head in fitted]), X) / np.log(2)
    members = np.stack([head.predict_proba(X)[:, 1] for head in fitted]).astype(np.float32)
    assert np.allclose(MEASURES[name][1](members), theirs, atol=1e-5)
    assert theirs.max() > 0


@pytest.mark.parametrize("name", MEASURES)
def test_a_real_committee_asks_learns_and_asks_again(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        members = committee(heads(), X[:50], Y[:50], name)
        first = query(members, X, 10)
        teach(members, X[first], Y[first])
        second = query(members, X, 10)
    assert len(set(first.tolist())) == len(set(second.tolist())) == 10
    assert all(len(learner.X_training) == 60 for learner in members)


def test_an_unfitted_committee_is_not_taken_for_one_that_agrees() -> None:
    with pytest.raises(NotFitted, match="LogisticRegression has not been trained yet"):
        query(committee(heads()), X, 3)


def test_unknown_measures_and_sizes_are_refused() -> None:
    with pytest.raises(BadPlan, match="'batch' is unknown"):
        committee(heads(), measure="batch")
    with pytest.raises(BadPool, match="401 rows cannot be picked from 400"):
        query(committee(heads(), X[:50], Y[:50]), X, 401)
