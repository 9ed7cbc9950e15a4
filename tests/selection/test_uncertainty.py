from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection.uncertainty import logit, threshold_utility

P = st.floats(0, 1)
TAU = st.floats(0.01, 0.99)


@given(P, P, TAU, st.floats(0.1, 10))
def test_utility_falls_with_the_distance_from_the_threshold(p: float, q: float, tau: float, s: float) -> None:
    u, v = threshold_utility(np.array([p, q]), np.array([tau, tau]), s)
    assert 0 <= u <= 1
    far, near = np.abs(logit(np.array([p, q])) - logit(np.array([tau])))
    assert (u <= v) if far > near else (u >= v)


def test_utility_follows_the_formula() -> None:
    u = threshold_utility(np.array([0.3, 0.5, 0.9]), np.array([0.3, 0.3, 0.5]), 2.0)
    assert u == pytest.approx([1.0, np.exp(-np.log(7 / 3) / 2), np.exp(-np.log(9) / 2)])


def test_logit_is_finite_everywhere() -> None:
    assert logit(np.array([0.0, 0.5, 1.0])) == pytest.approx([-13.8155, 0, 13.8155], abs=1e-3)
