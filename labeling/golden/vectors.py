"""Embeddings by item id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from labeling.errors import UnknownItem

F32 = npt.NDArray[np.float32]


class Vectors(Protocol):
    """Embeddings of those items that have one: item id -> (d,) float32, any length but zero."""

    def __call__(self, item_ids: Sequence[str]) -> dict[str, F32]: ...


class Columns(Protocol):
    """The part of the lake that is needed here."""

    def groups(self) -> list[str]: ...
    def ids(self, group: str) -> list[str]: ...
    def take(self, item_ids: Sequence[str], columns: Sequence[str], group: str) -> pa.Table: ...


class LakeVectors:
    """Reads one embedding column group of the lake; items without a row there have no vector."""

    def __init__(self, lake: Columns, group: str, column: str = "embedding") -> None:
        self._lake = lake
        self._group = group
        self._column = column

    def __call__(self, item_ids: Sequence[str]) -> dict[str, F32]:
        if not item_ids or self._group not in self._lake.groups():
            return {}
        wanted = list(dict.fromkeys(item_ids))
        try:
            table = self._lake.take(wanted, [self._column], self._group)
        except UnknownItem:
            there = set(self._lake.ids(self._group))
            wanted = [item_id for item_id in wanted if item_id in there]
            if not wanted:
                return {}
            table = self._lake.take(wanted, [self._column], self._group)
        flat = table.column(self._column).combine_chunks().flatten().to_numpy(zero_copy_only=False)
        return dict(zip(wanted, flat.reshape(len(wanted), -1).astype(np.float32), strict=True))


def no_vectors(item_ids: Sequence[str]) -> dict[str, F32]:  # noqa: ARG001 - the protocol's signature
    """A source without embeddings: only equal and normalised texts are compared."""
    return {}


def unit(rows: F32) -> F32:
    """(n, d) rows scaled to length 1; a zero row stays zero."""
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    return cast(F32, (rows / np.where(lengths > 0, lengths, 1.0)).astype(np.float32))
