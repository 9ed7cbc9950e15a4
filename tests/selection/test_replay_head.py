from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from selection.replay_head import PENALTY, Priors, ReplayHead, matched_thresholds


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


def test_priors_start_half_from_chance_and_half_from_the_head() -> None:
    known = Priors(np.ones((1000, 1), dtype=bool))
    known.add(np.arange(4), np.array([[1], [0], [0], [1]], np.float32), by_chance=True)
    assert known.shares(np.full((1000, 1), 0.1)) == pytest.approx([(2 + 4 * 0.1) / 8], abs=0.002)


def test_what_was_chosen_counts_for_itself_and_for_the_head() -> None:
    known = Priors(np.ones((100, 1), dtype=bool))
    known.add(np.arange(20), np.ones((20, 1), np.float32), by_chance=False)
    assert known.shares(np.full((100, 1), 0.25)) == pytest.approx([(20 + 80 * 0.25) / 100])
    known.add(np.array([50]), np.zeros((1, 1), np.float32), by_chance=True)  # one of 80: of 100, 20 violate at least
    weight = 1 / 0.8**2
    head = (20 + 79 * 0.25) / 100
    of_head = 21 / 0.79**2
    assert known.shares(np.full((100, 1), 0.25)) == pytest.approx(
        [(weight * 0.2 + of_head * head) / (weight + of_head)]
    )


def test_pairs_without_an_answer_are_no_part_of_a_pool() -> None:
    answers = np.array([[1, 1], [0, np.nan], [0, np.nan], [1, np.nan]], np.float32)
    known = Priors(~np.isnan(answers))
    known.add(np.arange(2), answers[:2], by_chance=True)
    assert known.shares(np.full((4, 2), 0.5))[1] == 1


def test_labels_by_chance_after_choice_do_not_bias_a_prior() -> None:
    """Choice takes violating items alone; the head is right on average. Counted as labels of the whole pool, those by
    chance would say less than the 20 % that violate."""
    truth = np.zeros((200, 1), np.float32)
    truth[:40] = 1
    found = []
    for seed in range(400):
        rng, left, known = np.random.default_rng(seed), np.arange(200), Priors(np.ones((200, 1), dtype=bool))
        for _round in range(3):
            picks = left[:10]
            known.add(picks, truth[picks], by_chance=False)
            drawn = rng.choice(left[10:], 10, replace=False)
            known.add(drawn, truth[drawn], by_chance=True)
            left = np.setdiff1d(left[10:], drawn)
        found.append(float(known.shares(np.full((200, 1), truth[left].mean()))[0]))
    error = np.std(found) / np.sqrt(len(found))
    assert error < 0.002
    assert np.mean(found) == pytest.approx(0.2, abs=3 * error)


@given(st.integers(0, 2**32 - 1), st.lists(st.tuples(st.integers(0, 12), st.booleans()), max_size=8))
def test_a_prior_is_a_share_and_with_everything_labelled_the_known_one(
    seed: int, batches: list[tuple[int, bool]]
) -> None:
    rng = np.random.default_rng(seed)
    answers = rng.choice(np.array([0, 1, np.nan], np.float32), (60, 3))
    answers[0] = 1
    known, left = Priors(~np.isnan(answers)), rng.permutation(60)
    for size, by_chance in [*batches, (60, False)]:
        known.add(left[:size], answers[left[:size]], by_chance=by_chance)
        left = left[size:]
        shares = known.shares(rng.random((60, 3)))
        assert (shares >= 0).all()
        assert (shares <= 1 + 1e-12).all()
    assert shares == pytest.approx(np.nanmean(answers, axis=0))


def test_thresholds_let_the_prior_through() -> None:
    logits = np.random.default_rng(0).standard_normal((1000, 2))
    taus = matched_thresholds(logits, np.array([0.05, 0.5]))
    assert (logits > taus).mean(axis=0) == pytest.approx([0.05, 0.5], abs=0.002)
