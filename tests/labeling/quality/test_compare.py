from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.quality.compare import mcnemar, pairs_needed, split_change

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
