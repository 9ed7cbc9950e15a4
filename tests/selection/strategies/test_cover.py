from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from selection.strategies.cover import PURE, balls, farthest_first, most_uncovered, nearest_squared, pure_radius
from selection.strategies.exact import GRID, grid
from selection.types import F32
from tests.contracts.chooser import ChooserContract
from tests.selection.made import made_candidates


class TestKCenter(ChooserContract):
    name = "k_center"


class TestProbcover(ChooserContract):
    name = "probcover"


def unit(m: int, d: int = 3, seed: int = 0) -> F32:
    vectors = np.random.default_rng(seed).standard_normal((m, d))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def reach(rows: F32, centres: F32) -> float:
    """The largest distance of a row to its nearest centre."""
    return float(np.sqrt(nearest_squared(rows, centres)).max())


@given(seed=st.integers(0, 10_000), n=st.integers(1, 4), labelled=st.integers(0, 3))
def test_farthest_first_is_at_most_twice_the_best(seed: int, n: int, labelled: int) -> None:
    rows, known = grid(unit(9, 3, seed)), grid(unit(labelled, 3, seed + 1))
    found = reach(rows, np.concatenate([known, rows[farthest_first(rows, n, known, seed % 9)]]))
    every = (np.concatenate([known, rows[list(some)]]) for some in itertools.combinations(range(9), n))
    assert found <= 2.0 * min(reach(rows, centres) for centres in every) + 1e-6


def test_a_labelled_item_is_a_centre() -> None:
    near, far = unit(2, 8)
    rows = grid(np.stack([near, near, far]))
    assert farthest_first(rows, 1, grid(near[None])).tolist() == [2]


def test_an_item_without_an_embedding_is_no_outlier() -> None:
    rows = grid(np.concatenate([np.eye(6), -np.eye(6), np.zeros((1, 6))]).astype(np.float32))
    assert 12 not in farthest_first(rows, 12, start=0)


@given(seed=st.integers(0, 10_000), n=st.integers(1, 4))
def test_the_most_uncovered_cover_nearly_the_most(seed: int, n: int) -> None:
    near = np.random.default_rng(seed).random((9, 9)) < 0.25
    near |= near.T | np.eye(9, dtype=bool)
    nothing = np.zeros(9, dtype=bool)
    best = max(int(near[list(some)].any(axis=0).sum()) for some in itertools.combinations(range(9), n))
    found = int(near[most_uncovered(near, nothing, n)].any(axis=0).sum())
    assert (1 - 1 / np.e) * best <= found <= best


def test_what_is_covered_counts_no_more() -> None:
    near = np.eye(5, dtype=bool)
    near[0] = near[:, 0] = [True, True, True, False, False]
    assert most_uncovered(near, np.array([True, True, True, False, True]), 5).tolist() == [3]


def test_balls_are_as_wide_as_they_stay_pure() -> None:
    rows = grid(unit(400, 4))
    clusters = (rows[:, 0] > 0).astype(np.int64)
    radius = pure_radius(rows, clusters)

    def pure(squared: float) -> float:
        mixed = balls(rows, squared) & (clusters[:, None] != clusters)
        return 1.0 - float(mixed.any(axis=1).mean())

    assert pure(radius) >= PURE
    assert pure(radius * 1.05) < PURE + 0.01


def test_probcover_takes_the_middle_of_the_largest_unlabelled_heap() -> None:
    candidates = made_candidates(60, labelled=1)
    assert candidates.labelled is not None
    heaps = np.repeat(np.eye(16, dtype=np.float32)[:3], [30, 20, 10], axis=0)
    noisy = heaps + 0.01 * np.random.default_rng(0).standard_normal((60, 16)).astype(np.float32)
    candidates.embeddings[:] = noisy / np.linalg.norm(noisy, axis=1, keepdims=True)
    candidates.labelled.embeddings[:] = np.eye(16, dtype=np.float32)[0]
    near = balls(grid(candidates.embeddings), 0.01 * GRID**2)
    covered = nearest_squared(grid(candidates.embeddings), grid(candidates.labelled.embeddings)) <= 0.01 * GRID**2
    order = most_uncovered(near, covered, 3)
    assert len(order) == 2
    assert 30 <= order[0] < 50 <= order[1]
