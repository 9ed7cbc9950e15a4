from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selection.near.buckets import U32, WINDOW, Buckets, first_of_equals

TABLES = 3


def filled(codes: U32, cuts: list[int]) -> tuple[Buckets, set[tuple[int, int]]]:
    """Buckets that were given columns of ``codes`` in batches, and all candidates they told of on the way."""
    buckets, told = Buckets(TABLES), set()
    edges = [0, *sorted(cuts), codes.shape[1]]
    for start, end in pairwise(edges):
        buckets.insert(np.arange(start, end), codes[:, start:end])
        told |= pairs_of(buckets, start)
    return buckets, told


def pairs_of(buckets: Buckets, since: int) -> set[tuple[int, int]]:
    return {
        (min(pair), max(pair))
        for left, right in buckets.candidates(since)
        for pair in zip(left.tolist(), right.tolist(), strict=True)
    }


def all_pairs(codes: U32) -> set[tuple[int, int]]:
    n = codes.shape[1]
    return {(i, j) for j in range(n) for i in range(j) if (codes[:, i] == codes[:, j]).any()}


@settings(deadline=None)
@given(st.integers(0, 9999), st.integers(1, WINDOW + 1), st.lists(st.integers(0, 20), max_size=3))
def test_every_pair_of_a_bucket_is_a_candidate_whatever_the_batches(seed: int, n: int, cuts: list[int]) -> None:
    codes = np.random.default_rng(seed).integers(0, 6, (TABLES, n), dtype=np.uint32)
    _, told = filled(codes, [min(cut, n) for cut in cuts])
    assert told == all_pairs(codes)


def test_a_crowded_bucket_costs_a_window_a_row() -> None:
    codes = np.zeros((TABLES, 1000), np.uint32)
    buckets, _ = filled(codes, [])
    assert sum(len(left) for left, _ in buckets.candidates(0)) <= TABLES * WINDOW * 1000
    buckets.insert(np.array([1000]), codes[:, :1])
    assert 0 < sum(len(left) for left, _ in buckets.candidates(1000)) <= TABLES * 2 * WINDOW


def test_pairs_whose_codes_differ_in_more_bits_are_left_out() -> None:
    """Over the first half of the tables: here the first of two, while all meet in the second."""
    buckets = Buckets(2)
    buckets.insert(np.arange(3), np.array([[0, 1, 7], [5, 5, 5]], np.uint32))
    told = [
        {(i, j) for left, right in buckets.candidates(0, most) for i, j in zip(left, right, strict=True)}
        for most in (0, 1, 2, 3)
    ]
    assert told == [set(), {(0, 1)}, {(0, 1), (1, 2)}, {(0, 1), (1, 2), (0, 2)}]


@given(st.integers(0, 9999), st.integers(1, 30))
def test_dropped_rows_are_as_if_they_had_never_come(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 6, (TABLES, n), dtype=np.uint32)
    buckets, _ = filled(codes, [])
    kept = rng.random(n) < 0.6
    buckets.drop(kept)
    assert pairs_of(buckets, 0) == all_pairs(codes[:, kept])
    assert buckets.rows.tolist() == list(range(kept.sum()))


def test_state_comes_back_and_half_of_it_is_refused() -> None:
    codes = np.random.default_rng(0).integers(0, 6, (TABLES, 20), dtype=np.uint32)
    buckets, told = filled(codes, [])
    state = buckets.arrays("x")
    again = Buckets(TABLES)
    again.load("x", state, 20)
    assert pairs_of(again, 0) == told
    for key, bad in (("x-rows", buckets.rows + 1), ("x-codes", codes[:2]), ("x-orders", state["x-orders"] - 1)):
        with pytest.raises(ValueError, match="not whole"):
            Buckets(TABLES).load("x", {**state, key: bad}, 20)
    with pytest.raises(KeyError):
        Buckets(TABLES).load("y", state, 20)


@given(st.lists(st.integers(0, 4), max_size=20))
def test_equals_point_at_their_first_and_zeros_stay_alone(hashes: list[int]) -> None:
    expected = [hashes.index(h) if h else row for row, h in enumerate(hashes)]
    assert first_of_equals(np.array(hashes, np.uint64)).tolist() == expected
