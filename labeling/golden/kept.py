"""What is compared of very many items, held small: their texts lie compressed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import overload

import numpy as np
import pyarrow as pa

from labeling.golden.near import Subject
from selection.near.forest import Rows

_NAMES = ["item_id", "text", "content_hash"]
_PACKED = pa.ipc.IpcWriteOptions(compression=pa.Codec("zstd", compression_level=1))


class Kept(Sequence[Subject]):
    """The items of pages of rows, in the order in which they first came; of several rows of an item the last one speaks
    for it. It is filled, then read; reading it in order is quick."""

    def __init__(self) -> None:
        self._ids: list[pa.Array] = []
        self._blocks: list[bytes] = []  # of a page each
        self._starts = [0]  # by page: how many rows came before
        self._open: tuple[int, list[Subject]] = (-1, [])

    @property
    def rows(self) -> int:
        """How many came."""
        return self._starts[-1]

    def extend(self, page: pa.RecordBatch) -> None:
        """More rows: ``item_id``, ``text`` and ``content_hash``."""
        sink, kept = pa.BufferOutputStream(), page.select(_NAMES)
        with pa.ipc.new_stream(sink, kept.schema, options=_PACKED) as stream:
            stream.write_batch(kept)
        self._blocks.append(sink.getvalue().to_pybytes())  # a stream's buffer is up to twice as large
        self._ids.append(page["item_id"])
        self._starts.append(self.rows + len(page))

    @property
    def ids(self) -> pa.StringArray:
        """By place."""
        return self._items.dictionary

    @property
    def places(self) -> Rows:
        """(rows,) the place of each row's item."""
        return np.asarray(self._items.indices.to_numpy(), np.int64)

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, place: int) -> Subject: ...
    @overload
    def __getitem__(self, place: slice) -> list[Subject]: ...
    def __getitem__(self, place: int | slice) -> Subject | list[Subject]:
        if isinstance(place, slice):
            return self._read(self._last[place])
        if not -len(self) <= place < len(self):
            raise IndexError(f"subject {place} of {len(self)}")
        return self._read(self._last[[place]])[0]

    @cached_property
    def _items(self) -> pa.DictionaryArray:
        made = pa.chunked_array(self._ids, pa.string()).combine_chunks().dictionary_encode()
        self._ids = []
        return made

    @cached_property
    def _last(self) -> Rows:
        """By place: the row that speaks."""
        last = np.zeros(len(self), np.int64)
        np.maximum.at(last, self.places, np.arange(self.rows))
        return last

    def _read(self, rows: Rows) -> list[Subject]:
        blocks = np.searchsorted(self._starts, rows, side="right") - 1
        found = dict.fromkeys(range(len(rows)), _NOBODY)
        order = np.argsort(blocks, kind="stable")  # each block is opened once
        for part in np.split(order, np.flatnonzero(np.diff(blocks[order])) + 1) if len(rows) else ():
            block = int(blocks[part[0]])
            held, places = self._subjects(block), (rows[part] - self._starts[block]).tolist()
            found.update(zip(part.tolist(), (held[place] for place in places), strict=True))
        return list(found.values())

    def _subjects(self, block: int) -> list[Subject]:
        if block != self._open[0]:
            table = pa.ipc.open_stream(self._blocks[block]).read_all()
            self._open = (block, list(map(Subject, *(table[name].to_pylist() for name in _NAMES))))
        return self._open[1]


_NOBODY = Subject("", "", "")
