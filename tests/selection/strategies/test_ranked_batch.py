from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pytest
from modAL.batch import ranked_batch as modal_ranked_batch
from modAL.batch import uncertainty_batch_sampling
from modAL.models import ActiveLearner
from sklearn.linear_model import LogisticRegression

from selection.strategies.base import Candidates, Labelled
from selection.strategies.ranked_batch import rank
from selection.strategies.registry import find
from selection.types import F16, F32
from tests.contracts.chooser import ChooserContract
from tests.selection.made import made_candidates


class TestRankedBatch(ChooserContract):
    name = "ranked_batch"


@dataclass
class Learner:
    """What modAL's rule asks of a learner."""

    X_training: F16 | F32 | None
    on_transformed: bool = False


@pytest.mark.parametrize("labelled", [0, 1, 30, 600])
@pytest.mark.parametrize("seed", range(3))
def test_the_picks_are_those_of_modal(labelled: int, seed: int) -> None:
    candidates = made_candidates(500, policies=1, d=24, seed=seed, labelled=labelled)
    p = candidates.probabilities[:, 0].astype(np.float64)
    uncertainty = np.minimum(p, 1.0 - p)
    known = candidates.labelled.embeddings if candidates.labelled else None
    theirs, _ = modal_ranked_batch(Learner(known), candidates.embeddings, uncertainty, 80, "euclidean", None)
    assert len(set(theirs.tolist())) == 80
    assert rank(candidates.embeddings, uncertainty, 80, known).tolist() == theirs.tolist()


def test_the_strategy_asks_as_a_learner_of_modal_does_at_a_threshold_of_one_half() -> None:
    candidates = made_candidates(400, policies=1, labelled=50)
    assert candidates.labelled is not None
    X, y = candidates.labelled.embeddings, candidates.labelled.answers[:, 0].astype(int)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="'force_all_finite' was renamed", category=FutureWarning)
        learner = ActiveLearner(LogisticRegression(C=10.0), uncertainty_batch_sampling, X, y)
    theirs = learner.query(candidates.embeddings, n_instances=40)[0]
    p = learner.predict_proba(candidates.embeddings)[:, 1:].astype(np.float32)
    mine = Candidates(
        candidates.embeddings,
        p,
        candidates.open,
        np.array([0.5]),
        np.array([3.0]),
        candidates.ties,
        labelled=Labelled(X, candidates.labelled.answers, candidates.labelled.probabilities),
    )
    assert find("ranked_batch")(mine, 40, 0).rows.tolist() == theirs.tolist()


def test_with_nothing_labelled_the_first_is_the_most_central() -> None:
    candidates = made_candidates(120)
    rows = candidates.embeddings.astype(np.float64)
    distances = np.sqrt(np.maximum(2.0 - 2.0 * rows @ rows.T, 0.0)).mean(axis=1)
    assert rank(candidates.embeddings, np.zeros(120), 3)[0] == distances.argmin()


def test_many_labels_leave_uncertainty_to_decide() -> None:
    candidates = made_candidates(50, policies=1, labelled=20_000)
    assert candidates.labelled is not None
    uncertainty = np.linspace(0.0, 0.5, 50, dtype=np.float64)
    found = rank(candidates.embeddings, uncertainty, 5, candidates.labelled.embeddings)
    assert found.tolist() == [49, 48, 47, 46, 45]
