from __future__ import annotations

import numpy as np
import pytest

from selection.strategies.pointwise import adjusted, bits, mean_cosines
from selection.strategies.registry import find
from tests.contracts.chooser import ChooserContract
from tests.selection.made import made_candidates


class TestLeastConfidence(ChooserContract):
    name = "least_confidence"


class TestMargin(ChooserContract):
    name = "margin"


class TestEntropy(ChooserContract):
    name = "entropy"


class TestDensity(ChooserContract):
    name = "density"


class TestRandom(ChooserContract):
    name = "random"


@pytest.mark.parametrize("name", ["least_confidence", "margin", "entropy"])
@pytest.mark.parametrize("tau", [0.02, 0.5, 0.9])
def test_the_most_uncertain_pair_is_the_one_at_the_operating_threshold(name: str, tau: float) -> None:
    candidates = made_candidates(199, policies=1)
    candidates.probabilities[:, 0] = np.linspace(0.005, 0.995, 199)
    candidates.thresholds[:] = tau
    chosen = find(name)(candidates, 199, 0)
    assert candidates.probabilities[chosen.rows[0], 0] == pytest.approx(tau, abs=1e-6)
    assert chosen.utilities[0] == pytest.approx(1.0, abs=1e-5)
    assert (np.diff(chosen.utilities) <= 1e-6).all()
    if tau != 0.5:  # not the one at one half
        assert abs(float(candidates.probabilities[chosen.rows[0], 0]) - 0.5) > 0.3


def test_least_confidence_and_margin_are_one_number_for_a_yes_or_no_question() -> None:
    candidates = made_candidates(300)
    first, second = find("least_confidence")(candidates, 40, 0), find("margin")(candidates, 40, 0)
    assert first.rows.tolist() == second.rows.tolist()
    assert np.allclose(first.utilities, second.utilities)


def test_adjusting_keeps_the_order_and_the_odds_ratio() -> None:
    p = np.array([[0.01], [0.05], [0.5]])
    found = adjusted(p, np.array([0.05]))
    odds = found / (1 - found)
    assert found[1, 0] == pytest.approx(0.5)
    assert np.allclose(odds / (p / (1 - p)), 19.0)


def test_entropy_in_bits() -> None:
    assert bits(np.array([0.0, 0.5, 1.0, 0.25])).tolist() == pytest.approx([0.0, 1.0, 0.0, 0.811278], abs=1e-6)


def test_mean_cosines_are_those_of_all_pairs() -> None:
    candidates = made_candidates(150)
    rows = candidates.embeddings.astype(np.float64)
    assert np.allclose(mean_cosines(candidates), (rows @ rows.T).mean(axis=1), atol=1e-3)


def test_density_prefers_the_typical_of_two_equally_unsure() -> None:
    candidates = made_candidates(100, policies=1)
    candidates.probabilities[:] = 0.4
    chosen = find("density")(candidates, 100, 0)
    assert (np.diff(np.maximum(mean_cosines(candidates), 0.0)[chosen.rows]) <= 1e-9).all()


def test_random_asks_for_every_item_and_policy_alike() -> None:
    candidates = made_candidates(60)
    items, policies = np.zeros(60), np.zeros(3)
    for seed in range(300):
        chosen = find("random")(candidates, 20, seed)
        items[chosen.rows] += 1
        policies += np.bincount(chosen.policies, minlength=3)
    assert (np.abs(items / 300 - 1 / 3) < 5 * (2 / 9 / 300) ** 0.5).all()
    assert np.abs(policies / policies.sum() - 1 / 3).max() < 0.05
