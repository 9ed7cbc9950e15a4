from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.clearing import F32, Clearing
from scoring.first_stage import Reading

RULE = Clearing(("a", "b"), (0.5, 0.9), (1.0, 2.0), -1.0, 0.01, 0, "full")


def reading(logits: F32) -> Reading:
    return Reading(logits, np.ones(len(logits), np.bool_))


LOGITS = st.floats(-20, 20, width=32)


def test_the_margin_is_the_worst_policys() -> None:
    logits = np.array([[0.0, 0.0], [-5.0, np.log(9)], [-5.0, np.log(9) + 4]], np.float32)
    assert RULE.margins(reading(logits)) == pytest.approx([0.0, 0.0, 2.0], abs=1e-6)


def test_what_lies_below_the_cut_is_cleared_and_what_was_not_read_never() -> None:
    found = reading(np.array([[-5.0, -5.0], [-1.0, -5.0]], np.float32))
    assert replace(RULE, cut=-2.0).clears(found).tolist() == [True, False]
    assert not replace(RULE, cut=-2.0).clears(replace(found, whole=np.zeros(2, np.bool_))).any()


@given(st.lists(st.tuples(LOGITS, LOGITS), min_size=1, max_size=20))
def test_estimates_rise_with_the_guess_and_stay_below_the_threshold(rows: list[tuple[float, float]]) -> None:
    logits = np.sort(np.array(rows, np.float32), axis=0)
    found = RULE.estimates(reading(logits))
    assert found.dtype == np.float32
    assert (np.diff(found, axis=0) >= 0).all()
    assert (found < np.array(RULE.thresholds, np.float32)).all()
    assert (found >= 0).all()


def test_an_estimate_lies_one_spread_above_the_guess() -> None:
    found = RULE.estimates(reading(np.array([[-3.0, -3.0]], np.float32)))
    assert found[0] == pytest.approx([1 / (1 + np.exp(2)), 1 / (1 + np.exp(1))], rel=1e-6)


def test_the_trickle_has_the_share_it_names_and_depends_on_id_and_seed_only() -> None:
    ids = [f"item-{i}" for i in range(20_000)]
    drawn = replace(RULE, trickle=0.05).trickles(ids)
    assert abs(drawn.mean() - 0.05) < 4 * (0.05 * 0.95 / len(ids)) ** 0.5
    assert replace(RULE, trickle=0.05).trickles(ids[::-1]).tolist() == drawn[::-1].tolist()
    assert replace(RULE, trickle=0.05, seed=1).trickles(ids).tolist() != drawn.tolist()
    assert not replace(RULE, trickle=0.0).trickles(ids).any()
    assert replace(RULE, trickle=1.0).trickles(ids).all()


def test_a_larger_trickle_holds_the_smaller() -> None:
    ids = [f"item-{i}" for i in range(2_000)]
    small, large = replace(RULE, trickle=0.05).trickles(ids), replace(RULE, trickle=0.2).trickles(ids)
    assert (large | ~small).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"thresholds": (0.5,)}, "same length"),
        ({"thresholds": (0.5, 1.0)}, "thresholds must lie between"),
        ({"spreads": (1.0, 0.0)}, "spreads must be above 0"),
        ({"cut": float("inf")}, "cut must be finite"),
        ({"trickle": 1.5}, "trickle within 0 and 1"),
        ({"seed": 2**63}, "64 bits"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(RULE, **changes)
