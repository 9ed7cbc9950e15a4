from __future__ import annotations

import numpy as np
import pytest

from selection.hashing import F64
from selection.strategies.pointwise import adjusted
from selection.strategies.registry import find
from selection.strategies.seeding import gradient_distances, gradient_factors, plus_plus, squared_norms
from selection.strategies.shortlist import at_threshold, by_value
from tests.contracts.chooser import ChooserContract
from tests.selection.made import made_candidates


class TestWeightedPlusPlus(ChooserContract):
    name = "weighted_plus_plus"


class TestBadge(ChooserContract):
    name = "badge"


def test_gradients_are_those_of_the_log_loss_of_the_likelier_answer() -> None:
    """With respect to the weights of the head, by differences; norms and distances as of the long vectors."""
    candidates = made_candidates(40, policies=2, d=5)
    candidates.weights[:] = 1.0
    p = adjusted(candidates.probabilities.astype(np.float64), candidates.thresholds)
    short = by_value(candidates, at_threshold(candidates), 40)
    factors, rows = gradient_factors(short, p), short.grid()
    long = np.stack([_gradient(p[row], candidates.embeddings[row].astype(np.float64)) for row in short.rows])
    norms = squared_norms(factors, rows)
    assert np.allclose(norms, (long**2).sum(axis=1), atol=1e-3)
    for row in (0, 17):
        expected = ((long - long[row]) ** 2).sum(axis=1)
        assert np.allclose(gradient_distances(factors, rows, norms, row), expected, atol=1e-3)


def _gradient(p: F64, x: F64) -> F64:
    logits, answers, step = np.log(p / (1 - p)), (p >= 0.5).astype(np.float64), 1e-5

    def loss(shift: F64) -> float:
        q = 1 / (1 + np.exp(-(logits + shift @ x)))
        return float(-(answers * np.log(q) + (1 - answers) * np.log(1 - q)).sum())

    flat = np.zeros((len(p), len(x)))
    found = np.empty_like(flat)
    for place in np.ndindex(*flat.shape):
        flat[place] = step
        found[place] = (loss(flat) - loss(-flat)) / (2 * step)
        flat[place] = 0.0
    return found.ravel()


def test_badge_starts_with_the_longest_gradient_and_a_sure_model_gives_none() -> None:
    candidates = made_candidates(50, policies=1)
    candidates.probabilities[:] = 0.0
    candidates.probabilities[[7, 30]] = [[0.39], [0.2]]
    assert find("badge")(candidates, 1, 0).rows.tolist() == [7]
    p = adjusted(candidates.probabilities.astype(np.float64), candidates.thresholds)
    short = by_value(candidates, at_threshold(candidates), 50)
    norms = squared_norms(gradient_factors(short, p), short.grid())
    assert short.rows[norms > 1e-6].tolist() == [7, 30]


def test_chances_are_in_proportion_to_weight_times_squared_distance() -> None:
    points, weights = np.array([0.0, 1.0, 2.0, 3.0]), np.array([9.0, 4.0, 1.0, 2.0])
    hashes = np.arange(4, dtype=np.uint64) * np.uint64(2**60)
    counts = np.zeros(4)
    for seed in range(4000):
        counts[plus_plus(lambda row: (points - points[row]) ** 2, 2, 0, hashes, seed, weights)[1]] += 1
    expected = np.array([0.0, 4.0, 4.0, 18.0]) / 26
    assert np.abs(counts / 4000 - expected).max() < 5 * (0.25 / 4000) ** 0.5


def test_copies_of_what_is_chosen_are_never_drawn() -> None:
    points = np.array([0.0, 0.0, 0.0, 1.0, 1.0])
    hashes = np.arange(5, dtype=np.uint64) * np.uint64(2**60)
    assert len(plus_plus(lambda row: (points - points[row]) ** 2, 5, 0, hashes, 1)) == 2


def test_weight_puts_the_unsure_first() -> None:
    candidates = made_candidates(300, policies=1)
    chosen = find("weighted_plus_plus")(candidates, 30, 0)
    assert chosen.utilities[0] == pytest.approx(at_threshold(candidates).max())
    assert chosen.utilities.mean() > 1.2 * at_threshold(candidates).mean()
