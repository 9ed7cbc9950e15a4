from __future__ import annotations

import numpy as np
import pytest

from selection.strategies.contrast import NEIGHBOURS, divergence, labelled_neighbours
from selection.strategies.exact import grid
from selection.strategies.registry import find
from tests.contracts.chooser import ChooserContract
from tests.selection.made import made_candidates


class TestCal(ChooserContract):
    name = "cal"


class TestDiscriminative(ChooserContract):
    name = "discriminative"


def test_divergence_is_none_between_equals_and_grows_apart() -> None:
    p = np.array([0.2, 0.2, 0.0, 1.0])
    found = divergence(p, np.array([0.2, 0.9, 0.0, 0.0]))
    assert found[0] == found[2] == 0.0
    assert found[1] == pytest.approx(0.2 * np.log(0.2 / 0.9) + 0.8 * np.log(0.8 / 0.1))
    assert found[3] > 10


def test_neighbours_are_the_labelled_of_largest_cosine() -> None:
    candidates = made_candidates(30, labelled=80)
    assert candidates.labelled is not None
    rows, known = grid(candidates.embeddings), grid(candidates.labelled.embeddings)
    expected = np.argsort(-(rows @ known.T), axis=1)[:, :NEIGHBOURS]
    assert np.array_equal(np.sort(labelled_neighbours(rows, known)), np.sort(expected))


def test_the_contrastive_item_scores_unlike_its_neighbours() -> None:
    candidates = made_candidates(100, policies=1, labelled=40)
    assert candidates.labelled is not None
    candidates.probabilities[:] = 0.1
    candidates.labelled.probabilities[:] = 0.1
    candidates.probabilities[42] = 0.8
    chosen = find("cal")(candidates, 3, 0)
    assert chosen.rows[0] == 42
    assert chosen.utilities[0] == pytest.approx(float(divergence(np.array([0.1]), np.array([0.8]))[0]), rel=1e-5)
    assert np.allclose(chosen.utilities[1:], 0.0)


def test_discriminative_asks_about_what_no_label_is_like() -> None:
    candidates = made_candidates(200, labelled=60)
    assert candidates.labelled is not None
    strange = np.random.default_rng(0).choice(200, 20, replace=False)
    candidates.embeddings[strange] = -candidates.labelled.embeddings.mean(axis=0)
    candidates.embeddings[strange] += 0.05 * np.random.default_rng(1).standard_normal((20, 16)).astype(np.float32)
    candidates.embeddings[strange] /= np.linalg.norm(candidates.embeddings[strange], axis=1, keepdims=True)
    chosen = find("discriminative")(candidates, 10, 0)
    assert set(chosen.rows[:1].tolist()) <= set(strange.tolist())
    assert len(set(chosen.rows.tolist()) & set(strange.tolist())) >= 5
