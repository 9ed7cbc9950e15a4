"""How many labels would turn: the interval is exact."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from labeling.quality.poisson_binomial import MOST_EXACT, central_interval


@pytest.mark.parametrize(("n", "p"), [(100, 0.1), (7, 0.5), (2000, 0.03), (MOST_EXACT, 0.2)])
def test_equal_chances_are_binomial(n: int, p: float) -> None:
    assert central_interval(np.full(n, p)) == tuple(int(x) for x in binom.interval(0.95, n, p))


@given(st.lists(st.floats(0, 1), max_size=60))
def test_the_interval_holds_nearly_all_and_the_mean(chances: list[float]) -> None:
    p = np.array(chances)
    low, high = central_interval(p)
    assert 0 <= low <= high <= len(p)
    assert low <= np.ceil(p.sum())
    assert high >= np.floor(p.sum())


def test_what_is_sure_has_no_interval() -> None:
    assert central_interval(np.ones(5)) == (5, 5)
    assert central_interval(np.zeros(5)) == (0, 0)
    assert central_interval(np.array([])) == (0, 0)


@pytest.mark.parametrize("p", [0.01, 0.2, 0.5, 0.97])
def test_many_events_have_the_binomial_interval_to_one_event(p: float) -> None:
    n = 200_000  # which would take 40 billion steps
    low, high = central_interval(np.full(n, p))
    exact = binom.interval(0.95, n, p)
    assert abs(low - exact[0]) <= 1
    assert abs(high - exact[1]) <= 1
    assert central_interval(np.ones(n)) == (n, n)
