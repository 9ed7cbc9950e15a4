from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.batching import bucket, longest_first, token_batches, windows

LENGTHS = st.lists(st.integers(0, 600), max_size=300)


@settings(deadline=None)
@given(LENGTHS, st.integers(1, 4096))
def test_every_item_is_in_one_batch_within_the_budget(lengths: list[int], budget: int) -> None:
    batches = token_batches(lengths, budget)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= budget or max(lengths) == 0
    flat = [lengths[i] for batch in batches for i in batch]
    assert flat == sorted(flat, reverse=True)


@settings(deadline=None)
@given(LENGTHS, st.integers(1, 4096))
def test_packed_batches_are_full(lengths: list[int], budget: int) -> None:
    lengths = [max(1, length) for length in lengths]
    batches = token_batches(lengths, budget, packed=True)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    totals = [sum(lengths[i] for i in batch) for batch in batches]
    assert all(total <= budget or len(batch) == 1 for total, batch in zip(totals, batches, strict=True))
    for total, after in zip(totals, batches[1:], strict=False):
        assert total + lengths[after[0]] > budget


@given(st.integers(1, 2000))
def test_a_bucket_holds_its_length(length: int) -> None:
    assert length <= bucket(length) <= max(16, 2 * length)
    assert bucket(bucket(length)) == bucket(length)


def test_padding_counts() -> None:
    assert token_batches([10, 2, 9, 1], 20) == [[0, 2], [1, 3]]
    assert token_batches([50, 3, 3, 3], 9) == [[0], [1, 2, 3]]
    assert token_batches([], 8) == []


def test_a_budget_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="batch_tokens"):
        token_batches([1], 0)


def test_ties_keep_their_order() -> None:
    assert longest_first([2, 5, 2, 5]) == [1, 3, 0, 2]


def test_windows_cut_without_loss() -> None:
    assert [list(window) for window in windows([4, 1, 3, 0, 2], 2)] == [[4, 1], [3, 0], [2]]
