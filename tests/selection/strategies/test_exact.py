from __future__ import annotations

import numpy as np
import pytest

from selection.strategies.exact import GRID, grid, squared_distances, squared_lengths
from selection.types import F32


def unit(m: int, d: int, seed: int = 0) -> F32:
    vectors = np.random.default_rng(seed).standard_normal((m, d))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


@pytest.mark.parametrize("d", [2, 384, 1024])
def test_cosines_are_exact_in_float32_and_near_the_true_ones(d: int) -> None:
    vectors = unit(200, d)
    rows = grid(vectors)
    whole = rows.astype(np.int64) @ rows.astype(np.int64).T
    assert np.array_equal((rows @ rows.T).astype(np.int64), whole)
    assert np.abs(rows).sum() > 0
    assert np.abs(whole / GRID**2 - vectors.astype(np.float64) @ vectors.T.astype(np.float64)).max() < 1.5e-3


def test_float16_rows_leave_room_below_2_to_the_24() -> None:
    rows = grid(unit(200, 384).astype(np.float16))
    assert squared_lengths(rows).max() < 2**24


def test_squared_distances_are_exact() -> None:
    rows = grid(unit(50, 16))
    whole = rows.astype(np.int64)
    expected = ((whole - whole[7]) ** 2).sum(axis=1)
    assert np.array_equal(squared_distances(rows, squared_lengths(rows), rows[7]), expected)
