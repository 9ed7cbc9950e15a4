from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selection.errors import BadSample
from selection.hashing import F64
from selection.sampling import Bool, either, on_grid, pps_draw, simple_random_draw


def drawn(sizes: F64, n: int, floor: float, numbers: F64 | None = None, start: float = 0.5) -> tuple[Bool, F64]:
    whole = on_grid(sizes, float(sizes.max()) or 1.0, floor)
    order: F64 = np.arange(len(sizes)) / len(sizes) if numbers is None else numbers
    return pps_draw(whole, order, start, n, floor)


SIZES = st.lists(st.floats(0, 1e6), min_size=1, max_size=60)


@settings(deadline=None)
@given(SIZES, st.floats(0.001, 1), st.data())
def test_pps_probabilities_add_up_and_stay_in_range(sizes: list[float], floor: float, data: st.DataObject) -> None:
    n = data.draw(st.integers(0, len(sizes)))
    _, pi = drawn(np.array(sizes), n, floor)
    assert pi.sum() == pytest.approx(n, abs=1e-7)
    assert ((pi >= 0) & (pi <= 1)).all()
    assert n == 0 or (pi > 0).all()
    order = np.argsort(sizes)
    assert (np.diff(pi[order]) >= -1e-9).all()  # never less for more


def test_pps_follows_the_formula_where_nothing_is_capped() -> None:
    sizes = np.array([1.0, 2.0, 3.0, 4.0])
    assert drawn(sizes, 2, 0.2)[1] == pytest.approx(2 * (0.8 * sizes / 10 + 0.2 / 4))


def test_pps_shares_out_what_capping_frees() -> None:
    _, pi = drawn(np.array([100.0, 1.0, 1.0, 2.0]), 2, 1e-12)
    assert pi == pytest.approx([1.0, 0.25, 0.25, 0.5])


def test_pps_without_any_size_is_equal() -> None:
    assert drawn(np.zeros(4), 2, 0.1)[1] == pytest.approx([0.5] * 4)


@settings(deadline=None)
@given(SIZES, st.integers(0, 2**32), st.floats(0, 1, exclude_max=True), st.data())
def test_systematic_draw_has_fixed_size(sizes: list[float], seed: int, start: float, data: st.DataObject) -> None:
    n = data.draw(st.integers(0, len(sizes)))
    taken, pi = drawn(np.array(sizes), n, 0.1, np.random.default_rng(seed).random(len(sizes)), start)
    assert taken.sum() == n
    assert taken[pi == 1].all()


def test_systematic_draw_draws_with_pi() -> None:
    rng = np.random.default_rng(0)
    sizes = rng.lognormal(0, 1, 30)
    _, pi = drawn(sizes, 8, 0.1)
    counts = np.zeros(30)
    for _ in range(6000):
        counts += drawn(sizes, 8, 0.1, rng.random(30), rng.random())[0]
    free = pi < 1
    assert (counts[~free] == 6000).all()
    z = (counts[free] / 6000 - pi[free]) / np.sqrt(pi[free] * (1 - pi[free]) / 6000)
    assert np.abs(z).max() < 4


def test_simple_random_draw_takes_the_smallest_numbers() -> None:
    assert simple_random_draw(np.array([0.9, 0.1, 0.5]), 2).tolist() == [1, 2]


@pytest.mark.parametrize("n", [-1, 4])
def test_no_more_than_there_are(n: int) -> None:
    with pytest.raises(BadSample, match="cannot be drawn from 3"):
        simple_random_draw(np.zeros(3), n)
    with pytest.raises(BadSample, match="cannot be drawn from 3"):
        drawn(np.ones(3), n, 0.1)


def test_either_of_two_draws() -> None:
    assert either(np.array([0.5, 0.0, 1.0]), np.array([0.5, 0.3, 0.2])) == pytest.approx([0.75, 0.3, 1.0])
