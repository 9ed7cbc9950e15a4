"""Shares after an action, and what they prove."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.errors import InvalidInput
from labeling.quality.intervals import Figure, proportion, wilson
from labeling.quality.verification import Proof, kish, needed, proof, weighted_share


def test_equal_chances_are_a_plain_share() -> None:
    told = weighted_share([True] * 57 + [False] * 3, [0.5] * 60)
    assert (told.value, told.n, told.events) == (0.95, 60, 57)
    assert (round(told.low, 3), round(told.high, 3)) == (0.863, 0.983)  # DOMAIN section 5
    assert told.verdict == "ok"


def test_a_rare_stratum_weighs_what_it_stands_for() -> None:
    told = weighted_share([True] * 50 + [False] * 50, [1.0] * 50 + [0.1] * 50)
    assert told.value == pytest.approx(50 / 550)
    assert told.low < 50 / 550 < told.high


def test_few_are_insufficient_and_none_say_nothing() -> None:
    assert weighted_share([True] * 12, [1.0] * 12).verdict == "insufficient"
    assert weighted_share([], []).verdict == "insufficient"
    with pytest.raises(InvalidInput, match="pi"):
        weighted_share([True], [0.0])


@given(st.lists(st.tuples(st.booleans(), st.floats(0.01, 1)), min_size=1, max_size=80))
def test_the_interval_holds_the_share_and_is_never_tighter_than_n(rows: list[tuple[bool, float]]) -> None:
    told = weighted_share([y for y, _ in rows], [pi for _, pi in rows])
    weights = np.array([1 / pi for _, pi in rows])
    share = float((weights * [y for y, _ in rows]).sum() / weights.sum())
    assert told.low - 1e-9 <= share <= told.high + 1e-9
    if 0 < told.events < told.n:
        low, high = wilson(share * told.n, told.n)
        assert told.high - told.low >= high - low - 1e-9


@pytest.mark.parametrize(
    ("figure", "target", "at_least", "said"),
    [
        (proportion(99, 100), 0.9, True, Proof.VERIFIED),
        (proportion(95, 100), 0.9, True, Proof.OPEN),
        (proportion(50, 100), 0.9, True, Proof.MISSED),
        (proportion(12, 12), 0.5, True, Proof.OPEN),
        (proportion(1, 200), 0.05, False, Proof.VERIFIED),
        (proportion(30, 200), 0.05, False, Proof.MISSED),
    ],
)
def test_only_a_whole_interval_proves(figure: Figure, target: float, at_least: bool, said: Proof) -> None:
    assert proof(figure, target, at_least=at_least) is said


def test_what_would_be_needed_does() -> None:
    n = needed(0.97, 0.95, at_least=True)
    assert n is not None
    assert proof(proportion(round(0.97 * n), n), 0.95, at_least=True) is not Proof.MISSED
    assert needed(0.95, 0.95, at_least=True) is None
    assert needed(0.9500001, 0.95, at_least=True) is None  # more than a million
    assert needed(0.02, 0.05, at_least=False) is not None


def test_kish_counts_uneven_decisions_as_fewer() -> None:
    assert kish([True, False, True, True], [0.2] * 4) == pytest.approx((4, 3))
    effective, right = kish([True, False], [1.0, 0.1])
    assert effective == pytest.approx(11**2 / 101)
    assert right / effective == pytest.approx(1 / 11)
    assert kish([], []) == (0, 0)
