from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.quality.severity import weighted_severity


@pytest.mark.parametrize(
    ("levels", "weights", "severity"),
    [
        ([1, 3], [1, 1], 3),  # between two levels the graver one
        ([1, 3], [2, 1], 1),
        ([0, 1, 4], [1, 1, 1], 1),
        ([0, 4, 4], [0.9, 0.3, 0.3], 0),
        ([2], [0.1], 2),
        ([], [], None),
        ([3], [0.0], None),
    ],
)
def test_the_upper_weighted_median(levels: list[int], weights: list[float], severity: int | None) -> None:
    assert weighted_severity(levels, weights) == severity


@given(st.lists(st.integers(0, 4), min_size=1, max_size=9))
def test_equal_weights_give_the_upper_median(levels: list[int]) -> None:
    assert weighted_severity(levels, [0.7] * len(levels)) == sorted(levels)[len(levels) // 2]


def test_bad_weights_are_refused() -> None:
    with pytest.raises(ValueError, match="2 levels with 1 weights"):
        weighted_severity([1, 2], [1.0])
    with pytest.raises(ValueError, match="below 0"):
        weighted_severity([1], [-1.0])
