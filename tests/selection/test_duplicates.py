from __future__ import annotations

from typing import cast

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selection.duplicates import near_duplicate_groups
from selection.errors import BadPool

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]


def unit(vectors: F64) -> F32:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def pair_at(cosine: float, n: int, d: int, rng: np.random.Generator) -> tuple[F32, F32]:
    """n pairs of unit vectors, each pair at exactly this cosine."""
    first = unit(rng.standard_normal((n, d)))
    noise = rng.standard_normal((n, d))
    noise -= (noise * first).sum(axis=1, keepdims=True) * first
    return first, unit(cosine * first + np.sqrt(1 - cosine**2) * unit(noise))


def by_hand(vectors: F32, cosine: float) -> list[int]:
    close = vectors.astype(np.float64) @ vectors.T.astype(np.float64) >= cosine
    labels = list(range(len(vectors)))
    for i, j in np.argwhere(close):
        old, new = max(labels[i], labels[j]), min(labels[i], labels[j])
        labels = [new if label == old else label for label in labels]
    return labels


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 40), st.sampled_from([0.5, 0.8, 0.95]))
def test_small_sets_are_grouped_exactly(seed: int, n: int, cosine: float) -> None:
    vectors = unit(np.random.default_rng(seed).standard_normal((n, 3)))
    assert near_duplicate_groups(vectors, cosine).tolist() == by_hand(vectors, cosine)


def test_chains_are_one_group() -> None:
    angles = np.deg2rad([0, 10, 20, 90])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    assert near_duplicate_groups(vectors, np.cos(np.deg2rad(11))).tolist() == [0, 0, 0, 3]


def test_none_keeps_everyone_apart_and_one_joins_equals_only() -> None:
    vectors = unit(np.array([[1, 0], [0, 1], [1, 0], [1, 1e-4], [1, -0.0]]))
    assert near_duplicate_groups(vectors, None).tolist() == [0, 1, 2, 3, 4]
    assert near_duplicate_groups(vectors, 1.0).tolist() == [0, 1, 0, 3, 0]
    assert near_duplicate_groups(vectors, 0.95).tolist() == [0, 1, 0, 0, 0]


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000), st.lists(st.booleans(), min_size=1, max_size=30), st.sampled_from([None, 0.5, 1.0]))
def test_rows_without_an_embedding_stay_alone(seed: int, made: list[bool], cosine: float | None) -> None:
    vectors = unit(np.random.default_rng(seed).standard_normal((len(made), 3))) * np.array(made)[:, None]
    labels = near_duplicate_groups(vectors.astype(np.float32), cosine)
    rows = np.flatnonzero(made)
    np.testing.assert_array_equal(labels[rows], rows[near_duplicate_groups(vectors[rows].astype(np.float32), cosine)])
    assert all(np.count_nonzero(labels == row) == 1 for row in np.flatnonzero(~np.array(made)))


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_large_sets_find_copies_and_nothing_else(dtype: type[np.float16] | type[np.float32]) -> None:
    rng = np.random.default_rng(0)
    first, copy = pair_at(0.985, 500, 64, rng)
    vectors = np.concatenate([first, unit(rng.standard_normal((8000, 64))), copy]).astype(dtype)
    labels = near_duplicate_groups(cast(F32, vectors), 0.95)
    assert labels[:8500].tolist() == list(range(8500))
    assert np.mean(labels[8500:] == np.arange(500)) >= 0.995


def test_pairs_at_the_threshold_are_found_as_often_as_promised() -> None:
    first, copy = pair_at(0.9505, 3000, 128, np.random.default_rng(1))
    labels = near_duplicate_groups(np.concatenate([first, copy]), 0.95)
    assert np.mean(labels[3000:] == np.arange(3000)) >= 0.93


def test_pairs_below_the_threshold_are_never_joined() -> None:
    first, copy = pair_at(0.9495, 3000, 128, np.random.default_rng(2))
    assert near_duplicate_groups(np.concatenate([first, copy]), 0.95).tolist() == list(range(6000))


def test_a_flood_of_copies_is_one_group() -> None:
    """23 % of a real pool was spam: one crowded bucket must cost neither hours nor groups."""
    rng = np.random.default_rng(3)
    spam = unit(rng.standard_normal((1, 64)) + 0.01 * rng.standard_normal((3000, 64)))
    labels = near_duplicate_groups(np.concatenate([spam, unit(rng.standard_normal((4000, 64)))]), 0.95)
    assert (labels[:3000] == 0).all()
    assert len(np.unique(labels)) == 4001


def test_order_changes_nothing() -> None:
    rng = np.random.default_rng(4)
    first, copy = pair_at(0.96, 800, 48, rng)
    vectors = np.concatenate([first, unit(rng.standard_normal((4000, 48))), copy])
    labels = near_duplicate_groups(vectors, 0.95)
    order = rng.permutation(len(vectors))
    moved = near_duplicate_groups(vectors[order], 0.95)
    back = np.empty(len(order), dtype=np.int64)
    back[order] = order[moved]
    smallest = {group: int(np.flatnonzero(back == group).min()) for group in np.unique(back)}
    assert [smallest[group] for group in back] == labels.tolist()


@pytest.mark.parametrize(
    "bad", [np.ones(3, np.float32), np.ones((2, 2), np.int64), np.array([[np.nan, 1.0]], np.float32)]
)
def test_bad_matrices_are_refused(bad: npt.NDArray[np.float32]) -> None:
    with pytest.raises(BadPool, match="embeddings"):
        near_duplicate_groups(bad, 0.95)


def test_nothing_has_no_groups() -> None:
    assert len(near_duplicate_groups(np.zeros((0, 4), np.float16), 0.95)) == 0
