from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.quality.changes import change
from labeling.quality.intervals import Figure, newcombe, proportion

COUNTS = st.integers(13, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(st.tuples(st.integers(1, 60), st.just(61)), st.tuples(st.integers(1, 60), st.just(61)))
def test_with_wilsons_intervals_it_is_newcombes(before: tuple[int, int], after: tuple[int, int]) -> None:
    told = change(proportion(*before), proportion(*after))
    gap, ends = newcombe(*after, *before)
    assert (told.value, told.low, told.high) == pytest.approx((gap, *ends))
    assert told.n == 122


@given(COUNTS, COUNTS)
def test_it_holds_its_value_and_turns_round_with_its_sides(one: tuple[int, int], other: tuple[int, int]) -> None:
    there, back = change(proportion(*one), proportion(*other)), change(proportion(*other), proportion(*one))
    assert there.value is not None
    assert -1 <= there.low <= there.value <= there.high <= 1
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))


def test_too_few_on_one_side_are_too_few_for_a_change() -> None:
    told = change(proportion(3, 5), proportion(50, 100))
    assert (told.value, told.verdict, told.n) == (None, "insufficient", 105)
    assert told.low < 0 < told.high
    lacking = Figure(None, math.nan, math.nan, 0, 0, "none", "insufficient")
    assert change(lacking, proportion(50, 100)).as_dict()["low"] is None
