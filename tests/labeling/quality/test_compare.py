from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.quality.compare import holm, mcnemar, not_worse, paired_difference, pairs_needed, split_change

COUNT = st.integers(0, 200)
RATE = st.floats(0, 1)


def test_the_fixtures() -> None:
    assert mcnemar(12, 3) == pytest.approx(0.035, abs=5e-4)
    assert mcnemar(9, 4) == pytest.approx(0.27, abs=5e-3)
    assert pairs_needed(0.02, 0.06) == 928
    change = split_change((0.7, 0.3), (0.02, 0.10), (0.5, 0.5), (0.02, 0.12))
    assert (change.total, change.mix, change.within) == pytest.approx((0.026, 0.018, 0.008))


@given(COUNT, COUNT)
def test_sides_do_not_matter(one: int, other: int) -> None:
    assert mcnemar(one, other) == pytest.approx(mcnemar(other, one))
    assert 0 < mcnemar(one, other) <= 1


@given(RATE, RATE, RATE, RATE, RATE, RATE)
def test_the_parts_add_up(w0: float, w1: float, a0: float, b0: float, a1: float, b1: float) -> None:
    change = split_change((w0, 1 - w0), (a0, b0), (w1, 1 - w1), (a1, b1))
    before, after = w0 * a0 + (1 - w0) * b0, w1 * a1 + (1 - w1) * b1
    assert change.total == pytest.approx(after - before, abs=1e-9)


def test_holm_is_the_textbook_one() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == ()
    assert holm([0.9, 0.8]) == (1.0, 1.0)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_keeps_the_order_and_lies_between_plain_and_bonferroni(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    for p, q in zip(p_values, adjusted, strict=True):
        assert p <= q <= min(1.0, len(p_values) * p) or q == pytest.approx(p)
        assert all(q <= r for o, r in zip(p_values, adjusted, strict=True) if o > p)


def test_no_difference_at_all_still_needs_enough_pairs() -> None:
    assert not_worse(0, 0, 148, 0.02) > 0.05 >= not_worse(0, 0, 149, 0.02)  # the exact 0 of n: DOMAIN's 0/59 at .05
    assert not_worse(0, 0, 58, 0.05) > 0.05 >= not_worse(0, 0, 59, 0.05)


def passed(draws: np.ndarray[Any, np.dtype[np.int64]], n: int, margin: float) -> float:
    """The share of (wins, losses, rest) that are shown to be not worse."""
    pairs, counts = np.unique(draws[:, :2], axis=0, return_counts=True)
    shown = [not_worse(int(wins), int(losses), n, margin) <= 0.05 for wins, losses in pairs]
    return float(counts @ np.array(shown) / counts.sum())


def test_the_needed_pairs_are_about_enough() -> None:
    generator = np.random.default_rng(5)
    n = pairs_needed(0.02, 0.06)
    draws = generator.multinomial(n, [0.03, 0.03, 0.94], size=1500)
    assert 0.77 < passed(draws, n, 0.02) < 0.84


@pytest.mark.parametrize("wins", [0.0, 0.02, 0.05])
def test_a_model_that_is_worse_by_the_margin_passes_once_in_twenty(wins: float) -> None:
    generator = np.random.default_rng(6)
    draws = generator.multinomial(400, [wins, wins + 0.05, 0.95 - 2 * wins], size=2000)
    assert passed(draws, 400, 0.05) < 0.05 + 3 * (0.05 * 0.95 / 2000) ** 0.5


@given(COUNT, COUNT, st.integers(0, 400), st.floats(0.005, 0.3))
def test_a_win_more_never_hurts(wins: int, losses: int, more: int, margin: float) -> None:
    n = wins + losses + more + 2
    assert 0 <= not_worse(wins + 2, losses, n, margin) <= not_worse(wins + 1, losses, n, margin) + 1e-9
    assert not_worse(wins, losses, n, margin) <= not_worse(wins, losses + 1, n, margin) + 1e-9


def test_a_paired_difference_covers_and_goes_with_the_test_of_not_worse() -> None:
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(400):
        wins, losses, _same = rng.multinomial(150, [0.10, 0.06, 0.84])
        low, high = paired_difference(int(wins), int(losses), 150)
        held += low <= 0.04 <= high
    assert 0.92 <= held / 400 <= 0.98
    low, _ = paired_difference(9, 14, 300, 0.90)
    assert not_worse(9, 14, 300, -low) == pytest.approx(0.05, abs=1e-6)  # one-sided at 5 %: the end of a 90 % interval
    low, high = paired_difference(5, 20, 100)
    assert (-high, -low) == pytest.approx(paired_difference(20, 5, 100))
