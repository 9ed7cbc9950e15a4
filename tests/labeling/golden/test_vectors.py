from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from labeling.errors import UnknownItem
from labeling.golden.vectors import LakeVectors, close_pairs, no_vectors, unit


class ColumnsInMemory:
    """One embedding group, as the lake gives it."""

    def __init__(self, rows: dict[str, list[float]]) -> None:
        self._rows = rows

    def groups(self) -> list[str]:
        return ["embeddings-x"]

    def ids(self, group: str) -> list[str]:
        return sorted(self._rows)

    def take(self, item_ids: Sequence[str], columns: Sequence[str], group: str) -> pa.Table:
        missing = [i for i in item_ids if i not in self._rows]
        if missing:
            raise UnknownItem(f"no such item: {missing}")
        values = pa.array([np.asarray(self._rows[i], np.float16) for i in item_ids], pa.list_(pa.float16(), 2))
        return pa.table({"item_id": pa.array(list(item_ids)), columns[0]: values})


LAKE = ColumnsInMemory({"a": [1.0, 0.0], "b": [0.0, 0.5]})


def test_vectors_come_by_id_and_missing_ones_are_left_out() -> None:
    found = LakeVectors(LAKE, "embeddings-x")(["b", "nobody", "a", "b"])
    assert {k: v.tolist() for k, v in found.items()} == {"a": [1.0, 0.0], "b": [0.0, 0.5]}
    assert LakeVectors(LAKE, "embeddings-x")(["nobody"]) == {}


def test_a_group_that_is_not_there_has_no_vectors() -> None:
    assert LakeVectors(LAKE, "embeddings-y")(["a"]) == {}
    assert no_vectors(["a"]) == {}


def test_close_pairs_are_those_of_brute_force_in_any_block() -> None:
    rng = np.random.default_rng(3)
    left = unit(rng.standard_normal((700, 3)).astype(np.float32))
    right = unit(rng.standard_normal((40, 3)).astype(np.float32))
    cosines = left.astype(np.float64) @ right.astype(np.float64).T
    expected = {(int(i), int(j)) for i, j in np.argwhere(cosines >= 0.95)}
    assert set(close_pairs(left, right, 0.95)) == expected
    assert list(close_pairs(left[:0], right, 0.95)) == []


def test_a_row_is_close_to_itself_even_at_cosine_one() -> None:
    rows = unit(np.random.default_rng(0).standard_normal((50, 384)).astype(np.float32))
    assert {(i, i) for i in range(50)} <= set(close_pairs(rows, rows, 1.0))


def test_unit_rows() -> None:
    rows = unit(np.array([[3.0, 4.0], [0.0, 0.0]], np.float32))
    assert rows.tolist() == [[np.float32(0.6), np.float32(0.8)], [0.0, 0.0]]
