from __future__ import annotations

import numpy as np
import pytest

from labeling.quality.model_vote import evidence, model_voter
from labeling.quality.pooled import pooled
from tests.labeling.quality.crowds import COMMON, YES, Crowd, crowd, honest

YEA = np.ones(200, dtype=np.bool_)


def scored(made: Crowd, right: float, seed: int = 0) -> dict[str, float]:
    """Probabilities that are on the right side of 0.5 with that chance."""
    rng = np.random.default_rng(seed)
    return {
        item: float(0.5 + 0.5 * rng.random() * (1 if (label == YES) == (rng.random() < right) else -1))
        for item, label in sorted(made.truth.items())
    }


def test_a_good_model_helps_a_weak_crowd_and_a_coin_does_no_harm() -> None:
    made = crowd([honest(0.7)] * 8, COMMON, items=800, overlap=2)
    gold = made.gold(200)
    everything = frozenset(made.truth)
    plain = made.accuracy(pooled(made.votes, gold).labels, gold)
    for right, least in ((0.95, plain + 0.05), (0.5, plain - 0.015)):
        voter = model_voter(scored(made, right), everything, everything)
        found = voter(made.votes, gold)
        assert found.method == "pooled_with_model"
        assert made.accuracy(found.labels, gold) >= least


def test_a_model_that_is_always_wrong_is_read_the_other_way_round() -> None:
    made = crowd([honest(0.7)] * 8, COMMON, items=800, overlap=2)
    gold, everything = made.gold(200), frozenset(made.truth)
    found = model_voter(scored(made, 0.05), everything, everything)(made.votes, gold)
    assert made.accuracy(found.labels, gold) > made.accuracy(pooled(made.votes, gold).labels, gold)


def test_no_vote_where_the_annotators_were_not_blind_or_nothing_was_scored() -> None:
    rng = np.random.default_rng(0)
    known = rng.integers(0, 2, 200) * 2
    p = np.where(known == 2, 0.9, 0.1)
    p[7] = np.nan
    blind = YEA.copy()
    blind[:5] = False
    told = evidence(p, known, YEA, blind, 3)
    assert not told[:5].any()
    assert not told[7].any()
    assert (told[10:, 2] > told[10:, 0]).tolist() == (known[10:] == 2).tolist()


def test_only_held_out_gold_teaches() -> None:
    known = np.tile([0, 2], 100)
    p = np.where(known == 2, 0.9, 0.1)
    assert not evidence(p, known, ~YEA, YEA, 3).any()
    assert not evidence(p, np.full(200, -1), YEA, YEA, 3).any()


def test_a_class_without_gold_is_spoken_of_as_the_others_together() -> None:
    known = np.tile([0, 2], 100)
    told = evidence(np.where(known == 2, 0.9, 0.1), known, YEA, YEA, 3)
    assert (told[:, 1] < told[np.arange(200), known]).all()
    assert (told[:, 1] > told[np.arange(200), 2 - known]).all()


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="one entry an item"):
        evidence(np.zeros(3), np.zeros(2, dtype=np.int64), YEA[:3], YEA[:3], 2)
    with pytest.raises(ValueError, match="between 0 and 1"):
        evidence(np.full(2, 1.5), np.zeros(2, dtype=np.int64), YEA[:2], YEA[:2], 2)
