from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from selection.errors import BadPlan, BadPool
from selection.replay import RANDOM, RANDOM_SHARE, Course, LabelledSet, macro_f1, replay, split
from selection.strategies.registry import STRATEGIES

COURSE = Course(start=30, batch=20, budget=110)


def made_set(n: int = 600, seed: int = 0) -> LabelledSet:
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((n, 12))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    answers = (rows @ rng.standard_normal((12, 2)) > (0.5, 1.2)).astype(np.float32)
    groups = np.arange(n) // 2  # each second item is a near-copy
    return LabelledSet(("common", "rare"), rows.astype(np.float32), answers, groups, groups // 3)


def test_no_block_is_on_both_sides_and_a_group_is_offered_once() -> None:
    data = made_set()
    part = split(data, 3, 0.3)
    assert not set(data.blocks[part.pool]) & set(data.blocks[part.test])
    assert len(set(data.groups[part.pool])) == len(part.pool)
    assert len(part.test) == pytest.approx(0.3 * 600, abs=6)
    assert data.policies[part.rarest] == "rare"
    assert not np.array_equal(part.test, split(data, 4, 0.3).test)


@pytest.mark.parametrize("strategy", [RANDOM, "auto", "margin"])
def test_a_curve_has_a_score_a_round_and_is_the_same_again(strategy: str) -> None:
    part = split(made_set(), 0, 0.3)
    curve = replay(part, strategy, 0, COURSE)
    assert curve.labels.tolist() == [30, 50, 70, 90, 110]
    again = replay(part, strategy, 0, COURSE)
    for metric, scores in curve.scores.items():
        assert scores.tolist() == again.scores[metric].tolist()
        assert ((scores >= 0) & (scores <= 1)).all()


def test_every_strategy_starts_from_the_same_labels() -> None:
    part = split(made_set(), 0, 0.3)
    starts = {replay(part, name, 0, replace(COURSE, budget=50)).scores["macro_f1"][0] for name in (RANDOM, "auto")}
    assert len(starts) == 1


def test_a_pool_that_ends_before_the_budget_ends_the_curve() -> None:
    part = split(made_set(), 0, 0.3)
    curve = replay(part, "margin", 0, replace(COURSE, budget=5000, batch=100))
    assert curve.labels[-1] == len(part.pool)
    full = part.full
    assert curve.scores["rare_auprc"][-1] == pytest.approx(full["rare_auprc"], abs=0.02)


def test_a_good_strategy_is_told_from_chance() -> None:
    part = split(made_set(1200), 0, 0.3)
    random, auto = (replay(part, name, 0, replace(COURSE, budget=230)) for name in (RANDOM, "auto"))
    assert auto.scores["macro_f1"].mean() > random.scores["macro_f1"].mean()


def test_macro_f1_counts_known_pairs_only() -> None:
    answers = np.array([[1, 0], [1, np.nan], [0, 1]], np.float32)
    said = np.array([[1.0, 1.0], [0.0, 1.0], [0.0, 1.0]])
    assert macro_f1(said, answers) == pytest.approx((2 / 3 + 2 / 3) / 2)


def test_what_does_not_fit_is_refused() -> None:
    part = split(made_set(), 0, 0.3)
    with pytest.raises(BadPlan, match="'magic' is unknown"):
        replay(part, "magic", 0, COURSE)
    with pytest.raises(BadPlan, match="do not fit together"):
        replay(part, RANDOM, 0, replace(COURSE, start=5000, budget=6000))
    with pytest.raises(BadPool, match="use a larger set"):
        split(made_set(60), 0, 0.3)
    with pytest.raises(BadPool, match="answers: expected"):
        replace(made_set(), answers=np.zeros((3, 2), np.float32))


def test_random_goes_beside_strategies_that_exist() -> None:
    assert set(RANDOM_SHARE) <= set(STRATEGIES)
