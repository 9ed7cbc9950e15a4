from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection.errors import BadPlan
from selection.hashing import F64
from selection.uncertainty import STRATEGIES, disagreement_utility, find_strategy, logit, threshold_utility

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


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_strategy_looks_at_each_pair_alone(name: str) -> None:
    strategy = find_strategy(name)
    p: F64 = np.linspace(0, 1, 11, dtype=np.float64)
    tau: F64 = np.full(11, 0.5)
    together = strategy(p, tau, 1.0)
    alone = [float(strategy(p[row : row + 1], tau[:1], 1.0)[0]) for row in range(11)]
    assert together == pytest.approx(alone)
    assert ((together >= 0) & (together <= 1 + 1e-12)).all()
    assert together[5] == pytest.approx(1.0)
    assert (np.diff(together[:6]) > 0).all()


def test_an_unknown_strategy_is_refused() -> None:
    with pytest.raises(BadPlan, match="'magic' is unknown \\(known: threshold, "):
        find_strategy("magic")


def test_disagreement_is_told_as_a_share_of_the_most_there_can_be() -> None:
    most = np.float64(np.float32(np.log(2)))  # rounded up, as scores carry it
    assert disagreement_utility(np.array([0.0, np.log(2) / 4, most])) == pytest.approx([0, 0.25, 1])
    assert disagreement_utility(np.array([most])).max() <= 1
