from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.quality.intervals import (
    ENOUGH,
    INSUFFICIENT,
    Figure,
    clopper_pearson,
    lower_bound,
    poisson_ratio,
    proportion,
    sample_size,
    upper_bound,
    wilson,
)

COUNTS = st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize(("k", "n", "low", "high"), [(57, 60, 0.863, 0.983), (285, 300, 0.919, 0.970)])
def test_wilson_fixtures(k: int, n: int, low: float, high: float) -> None:
    figure = proportion(k, n)
    assert (figure.low, figure.high) == pytest.approx((low, high), abs=6e-4)
    assert (figure.value, figure.method, figure.verdict) == (k / n, "wilson", ENOUGH)


def test_no_event_gets_the_exact_interval() -> None:
    figure = proportion(0, 60)
    assert (figure.low, figure.high) == pytest.approx((0, 0.060), abs=5e-4)
    assert figure.method == "clopper-pearson"


@pytest.mark.parametrize(("k", "n", "bound"), [(0, 300, 0.0099), (4, 200, 0.0452), (0, 59, 0.0495)])
def test_one_sided_upper_bounds(k: int, n: int, bound: float) -> None:
    assert upper_bound(k, n) == pytest.approx(bound, abs=6e-5)


@pytest.mark.parametrize("k", [0, 6, 12])
def test_twelve_answers_are_insufficient_and_never_a_hundred_percent(k: int) -> None:
    figure = proportion(k, 12)
    assert figure.value is None
    assert figure.verdict == INSUFFICIENT
    assert proportion(13, 13).verdict == ENOUGH


def test_no_answers_at_all() -> None:
    assert proportion(0, 0).as_dict() == {
        "value": None,
        "low": 0.0,
        "high": 1.0,
        "n": 0,
        "events": 0,
        "method": "clopper-pearson",
        "verdict": INSUFFICIENT,
    }
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("share", "half_width", "n"), [(0.90, 0.05, 141), (0.95, 0.05, 83), (0.95, 0.03, 215), (0.90, 0.10, 37)]
)
def test_sample_sizes(share: float, half_width: float, n: int) -> None:
    assert sample_size(share, half_width) == n


@settings(deadline=None)
@given(COUNTS, st.floats(0.5, 0.999))
def test_intervals_hold_the_share_and_mirror(counts: tuple[int, int], confidence: float) -> None:
    k, n = counts
    for method in (wilson, clopper_pearson):
        low, high = method(k, n, confidence)
        assert 0 <= low <= k / n + 1e-12
        assert k / n - 1e-12 <= high <= 1
        assert method(n - k, n, confidence) == pytest.approx((1 - high, 1 - low), abs=1e-9)


@settings(deadline=None)
@given(COUNTS)
def test_bounds_mirror(counts: tuple[int, int]) -> None:
    k, n = counts
    assert lower_bound(k, n) == pytest.approx(1 - upper_bound(n - k, n), abs=1e-9)


@settings(deadline=None)
@given(st.floats(0, 1), st.floats(0.01, 0.2))
def test_the_sample_size_is_the_least_that_will_do(share: float, half_width: float) -> None:
    n = sample_size(share, half_width)
    for answers, enough in ((n, True), (n - 1, False)):
        low, high = wilson(share * answers, answers)
        if answers > 0 and 0 < low < high < 1:  # an interval cut off at 0 or 1 says nothing about its half-width
            assert ((high - low) / 2 <= half_width + 1e-9) == enough


@pytest.mark.parametrize(("k", "n"), [(-1, 5), (6, 5)])
def test_impossible_counts_are_refused(k: int, n: int) -> None:
    with pytest.raises(ValueError, match="expected 0 <= k <= n"):
        proportion(k, n)


@pytest.mark.parametrize(("share", "half_width"), [(1.5, 0.1), (0.5, 0.0), (0.5, 0.6)])
def test_impossible_plans_are_refused(share: float, half_width: float) -> None:
    with pytest.raises(ValueError, match="is not between"):
        sample_size(share, half_width)


def test_impossible_confidence_is_refused() -> None:
    with pytest.raises(ValueError, match="confidence"):
        wilson(1, 2, 1.0)


def test_an_end_that_is_not_there_is_null_in_json() -> None:
    told = Figure(None, math.nan, math.inf, 3, 0, "made", INSUFFICIENT).as_dict()
    assert (told["low"], told["high"]) == (None, None)
    assert Figure(0.5, 0.0, 1.0, 30, 15, "made", ENOUGH).as_dict()["high"] == 1.0


def test_garwoods_interval_of_a_count() -> None:
    assert poisson_ratio(10, 1.0) == pytest.approx((4.795389, 18.390356), abs=1e-6)  # Garwood 1936, table
    assert poisson_ratio(0, 2.0) == pytest.approx((0.0, 3.688879 / 2), abs=1e-6)
