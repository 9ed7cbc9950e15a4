from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.quality.lift import label_lift


def test_a_lane_that_finds_four_times_as_much() -> None:
    found = label_lift(80, 200, 20, 200, cost_per_label=2.0)
    assert found.lift.value == pytest.approx(4.0)
    assert found.random_labels.value == pytest.approx(800)
    assert found.saved_labels.value == pytest.approx(600)
    assert found.saved is not None
    assert found.saved.value == pytest.approx(1200)
    assert found.lift.high is not None
    assert 2.0 < found.lift.low < 4.0 < found.lift.high < 8.5
    assert found.saved.low == pytest.approx(200 * 2 * (found.lift.low - 1))
    assert (found.n, found.random_n, found.verdict) == (200, 200, "ok")


def test_without_a_price_there_is_no_money() -> None:
    assert label_lift(80, 200, 20, 200).saved is None


def test_where_random_found_nothing_there_is_a_lower_end_alone() -> None:
    found = label_lift(30, 60, 0, 40, 1.0)
    assert (found.lift.value, found.lift.high, found.verdict) == (None, None, "insufficient")
    assert found.lift.low > 3


def test_a_lane_that_finds_nothing_has_a_lift_of_nought() -> None:
    found = label_lift(0, 60, 20, 40)
    assert (found.lift.value, found.lift.low) == (0.0, 0.0)
    assert found.lift.high is not None
    assert found.lift.high < 0.3


@pytest.mark.parametrize(("n", "random_n"), [(12, 100), (100, 12), (0, 0)])
def test_few_answers_carry_no_value(n: int, random_n: int) -> None:
    found = label_lift(n // 2, n, random_n // 2, random_n)
    assert (found.lift.value, found.random_labels.value, found.verdict) == (None, None, "insufficient")


@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 300), st.integers(0, 300))
def test_ends_hold_the_value(hits: int, misses: int, random_hits: int, random_misses: int) -> None:
    found = label_lift(hits, hits + misses, random_hits, random_hits + random_misses, 1.0)
    for told in (found.lift, found.random_labels, found.saved):
        assert told is not None
        assert told.value is None or told.low <= told.value + 1e-9
        assert told.value is None or told.high is None or told.value <= told.high + 1e-9


def test_the_interval_holds_the_truth_at_least_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    for share, random_share in ((0.3, 0.1), (0.1, 0.1), (0.05, 0.02)):
        held = 0
        for hits, random_hits in zip(rng.binomial(150, share, 600), rng.binomial(60, random_share, 600), strict=True):
            lift = label_lift(int(hits), 150, int(random_hits), 60).lift
            held += lift.low <= share / random_share <= (np.inf if lift.high is None else lift.high)
        assert held / 600 >= 0.95


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="expected 0 <= k <= n"):
        label_lift(5, 4, 1, 2)
