from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from scoring.bounds import losses_allowed, lower_bound, positives_needed, upper_bound


@given(st.integers(1, 400), st.data())
def test_the_bounds_are_exact(n: int, data: st.DataObject) -> None:
    """At the bound, what was seen or less (more) has a chance of 5 %."""
    k = data.draw(st.integers(0, n))
    if k < n:
        assert binom.cdf(k, n, upper_bound(k, n)) == pytest.approx(0.05, rel=1e-6)
    if k > 0:
        assert binom.sf(k - 1, n, lower_bound(k, n)) == pytest.approx(0.05, rel=1e-6)


def test_the_edges() -> None:
    assert upper_bound(0, 0) == upper_bound(3, 3) == 1.0
    assert lower_bound(0, 0) == lower_bound(0, 9) == 0.0
    with pytest.raises(ValueError, match="3 of 2"):
        upper_bound(3, 2)
    for wrong in (0.0, 1.0):
        with pytest.raises(ValueError, match="between 0 and 1"):
            losses_allowed(10, wrong)
        with pytest.raises(ValueError, match="between 0 and 1"):
            positives_needed(wrong)


def test_half_a_percent_takes_598_positives() -> None:
    assert positives_needed(0.005) == 598
    assert losses_allowed(597, 0.005) == -1
    assert losses_allowed(598, 0.005) == 0
    assert losses_allowed(0, 0.005) == -1


@given(st.integers(1, 3000), st.sampled_from([0.005, 0.02, 0.1]))
def test_as_many_losses_as_the_bound_allows(n: int, allowed: float) -> None:
    k = losses_allowed(n, allowed)
    assert k < 0 or upper_bound(k, n) <= allowed
    assert upper_bound(k + 1, n) > allowed
    assert (k >= 0) == (n >= positives_needed(allowed))


def test_a_cut_read_from_the_sample_keeps_the_bound() -> None:
    """The cut is the (k + 1)-th smallest margin of n: the share it truly loses is above the bound in 5 % of samples."""
    rng, n, allowed = np.random.default_rng(0), 300, 0.03
    k = losses_allowed(n, allowed)
    lost = np.sort(rng.random((4000, n)), axis=1)[:, k]  # margins uniform: a cut's loss is its own value
    above = float((lost > upper_bound(k, n)).mean())
    assert above == pytest.approx(0.05, abs=4 * (0.05 * 0.95 / 4000) ** 0.5)
