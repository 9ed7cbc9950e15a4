"""What is looked through together is all there is, in its order, in pieces that are large enough."""

from __future__ import annotations

from itertools import pairwise

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from labeling.store import groups
from labeling.store.groups import together


@given(sizes=st.lists(st.integers(0, 9), max_size=12), wanted=st.integers(0, 40), least=st.integers(1, 12))
def test_nothing_is_lost_and_only_the_last_piece_is_small(sizes: list[int], wanted: int, least: int) -> None:
    ends = [0]
    for size in sizes:
        ends.append(ends[-1] + size)
    batches = [pa.record_batch({"item_id": pa.array(range(a, b), pa.int64())}) for a, b in pairwise(ends)]
    before, groups.LOOK_ROWS = groups.LOOK_ROWS, least
    try:
        tables = list(together(iter(batches), wanted))
    finally:
        groups.LOOK_ROWS = before
    assert [row for table in tables for row in table["item_id"].to_pylist()] == list(range(ends[-1]))
    assert all(table.num_rows >= max(wanted, least) for table in tables[:-1])
