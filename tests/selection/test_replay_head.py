from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from selection.replay_head import MODEL_LABELS, PENALTY, ReplayHead, matched_thresholds, priors


def test_it_is_scikit_learns_logistic_regression_a_policy() -> None:
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((300, 8)).astype(np.float32)
    answers = (rows @ rng.standard_normal((8, 2)) > 0.5).astype(np.float32)
    answers[:50, 1] = np.nan
    head = ReplayHead(2)
    head.fit(rows[:100], answers[:100])
    head.fit(rows, answers)
    for policy, known in ((0, slice(0, 300)), (1, slice(50, 300))):
        theirs = LogisticRegression(C=PENALTY, tol=1e-8, max_iter=5000).fit(rows[known], answers[known, policy])
        assert head.logits(rows)[:, policy] == pytest.approx(theirs.decision_function(rows), abs=0.02)


def test_one_kind_of_answer_says_how_often_it_was_seen() -> None:
    rows = np.ones((9, 2), np.float32)
    head = ReplayHead(1)
    head.fit(rows, np.zeros((9, 1), np.float32))
    assert head.logits(rows) == pytest.approx(np.full((9, 1), np.log(0.5 / 9.5)))


def test_priors_come_from_chance_and_the_head() -> None:
    answers = np.array([[1, np.nan], [0, 1], [1, 1], [1, 0]], np.float32)
    by_chance = np.array([True, True, False, True])
    pool = np.full((10, 2), 0.25)
    found = priors(answers, by_chance, pool)
    assert found == pytest.approx(
        [(2 + MODEL_LABELS / 4) / (3 + MODEL_LABELS), (1 + MODEL_LABELS / 4) / (2 + MODEL_LABELS)]
    )


def test_thresholds_let_the_prior_through() -> None:
    logits = np.random.default_rng(0).standard_normal((1000, 2))
    taus = matched_thresholds(logits, np.array([0.05, 0.5]))
    assert (logits > taus).mean(axis=0) == pytest.approx([0.05, 0.5], abs=0.002)
