from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from labeling.errors import UnknownItem
from labeling.golden.vectors import LakeVectors, no_vectors, unit


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


def test_unit_rows() -> None:
    rows = unit(np.array([[3.0, 4.0], [0.0, 0.0]], np.float32))
    assert rows.tolist() == [[np.float32(0.6), np.float32(0.8)], [0.0, 0.0]]
