"""What a lake lacks: rows of one column group that have none in others, to be walked through and filled.

Planned once over ids, then read by position, so that neither reading nor filling a chunk reads all ids again. What is
kept is one bit a row. The plan belongs to the fragments it was made of: a delete or a merge of fragments ends it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from labeling.errors import PlanOutdated, StoreError
from labeling.store.datasets import Datasets
from labeling.store.groups import KEY, check_schema, column_table

BLOCK_ROWS = 2**20  # ids held in memory at once, of either side
READ_ROWS = 512  # rows read at a time while a chunk is measured
_WALK_BYTES = 2**16  # of the bits, 8 rows each
_ENDING = 4  # characters at the end of an id that say which share of the ids it is in

Bits = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.int64]


class LanceGap:
    """``Gap`` over Lance datasets. One thread takes while another adds; neither is for two threads at once."""

    def __init__(
        self,
        datasets: Datasets,
        group: str,
        items: str,
        within: Sequence[str],
        without: Sequence[str],
        where: Mapping[str, str],
    ) -> None:
        self._datasets = datasets
        self._watched = {name: datasets.open(name) for name in dict.fromkeys((group, items))}
        self._dataset = self._watched[group]
        lacking = {name: datasets.open(name) for name in without}
        present = [datasets.open(name) for name in within]
        self._fragments = {name: _fragments(dataset) for name, dataset in self._watched.items()}
        self._known = {name: set(_fragments(dataset)) for name, dataset in lacking.items()}  # hold none of our rows
        with datasets.plain_errors():
            missing = _missing(self._dataset, present, [d for d in lacking.values() if d is not None])
            for column, value in where.items():
                missing &= _holding(self._dataset, column, value)[: len(missing)]
        self._left = int(missing.sum())
        self._walk = _positions(np.packbits(missing))
        self._next: Rows = np.empty(0, np.int64)

    def __len__(self) -> int:
        return self._left

    def take(self, columns: Sequence[str], rows: int, max_bytes: int) -> pa.Table:
        """As ``Gap.take``."""
        names, parts, held = [KEY, *columns], list[pa.Table](), 0
        while rows > 0 and (positions := self._peek(min(rows, READ_ROWS))).size:
            part = self._read(positions, names)
            if parts and held + part.nbytes > max_bytes:
                break
            parts.append(part)
            held, rows = held + part.nbytes, rows - len(positions)
            self._next = self._next[len(positions) :]
            self._left -= len(positions)
        return pa.concat_tables(parts) if parts else pa.table({name: [] for name in names})

    def add(self, group: str, item_ids: Sequence[str], columns: Mapping[str, pa.Array]) -> None:
        """As ``Gap.add``."""
        table = column_table(group, item_ids, columns)
        with self._datasets.writing():
            if self.is_outdated():
                raise PlanOutdated("items were deleted or the lake was compacted since this run looked; look again")
            dataset = self._datasets.open(group)
            before = _fragments(dataset)
            known = self._known.setdefault(group, set())
            if dataset is not None:
                table = check_schema(group, dataset.schema, table)
                unknown = [f for f in dataset.get_fragments() if f.fragment_id not in known]
                table = _lacking(dataset, unknown, table)
            known.update(_fragments(self._datasets.add(group, dataset, table)).keys() - before.keys())

    def is_outdated(self) -> bool:
        """As ``Gap.is_outdated``."""
        for name, planned in self._fragments.items():
            now = _fragments(self._datasets.open(name))
            if any(now.get(fragment) != deletions for fragment, deletions in planned.items()):
                return True
        return False

    def _peek(self, rows: int) -> Rows:
        while len(self._next) < rows:
            more = next(self._walk, None)
            if more is None:
                break
            self._next = np.concatenate([self._next, more])
        return self._next[:rows]

    def _read(self, positions: Rows, names: list[str]) -> pa.Table:
        try:
            with self._datasets.plain_errors():
                return self._dataset.take(positions, columns=names)
        except StoreError as error:
            if self.is_outdated():  # its files may be gone with the old versions
                raise PlanOutdated("the lake was compacted since this run looked; look again") from error
            raise


def _fragments(dataset: Any) -> dict[int, int]:
    """Fragment -> rows deleted from it."""
    return {} if dataset is None else {f.fragment_id: f.num_deletions for f in dataset.get_fragments()}


def _lacking(dataset: Any, fragments: list[Any], table: pa.Table) -> pa.Table:
    """The rows of ``table`` whose ids are in none of ``fragments``."""
    if not fragments:
        return table
    wanted = table.column(KEY)
    found = [
        batch.column(KEY).filter(pc.is_in(batch.column(KEY), value_set=wanted))
        for batch in dataset.scanner(columns=[KEY], fragments=fragments).to_batches()
    ]
    return table.filter(pc.invert(pc.is_in(wanted, value_set=pa.chunked_array(found, pa.string()))))


def _missing(dataset: Any, present: Sequence[Any], lacking: Sequence[Any]) -> npt.NDArray[np.bool_]:
    """For each row in scan order: is its id in all of ``present`` and in none of ``lacking``?"""
    if dataset is None or any(other is None for other in present):
        return np.zeros(0, np.bool_)
    missing = np.ones(dataset.count_rows(), np.bool_)
    for others, wanted in ((present, True), (lacking, False)):
        for other in others:
            shares = 1 + other.count_rows() // BLOCK_ROWS
            for share in range(shares):
                _mark(missing, dataset, _keys(other, share, shares), share, shares, wanted)
    return missing


def _holding(dataset: Any, column: str, value: str) -> npt.NDArray[np.bool_]:
    """For each row in scan order: does the column hold the value?"""
    if dataset is None:
        return np.zeros(0, np.bool_)
    parts = [
        pc.fill_null(pc.equal(batch.column(column), value), fill_value=False).to_numpy(zero_copy_only=False)
        for batch in dataset.to_batches(columns=[column], scan_in_order=True)
    ]
    return np.concatenate([np.zeros(0, np.bool_), *parts])


def _mark(
    missing: npt.NDArray[np.bool_], dataset: Any, keys: pa.ChunkedArray, share: int, shares: int, wanted: bool
) -> None:
    """Unset the rows of a share of the ids whose being among ``keys`` is not as ``wanted``."""
    start = 0
    for ids in _blocks(dataset):
        there = pc.is_in(ids, value_set=keys).to_numpy()
        missing[start : start + len(ids)] &= (there == wanted) | ~_in_share(ids, share, shares)
        start += len(ids)


def _keys(dataset: Any, share: int, shares: int) -> pa.ChunkedArray:
    """The ids of a share, all in memory."""
    parts = [ids.filter(pa.array(_in_share(ids, share, shares))) for ids in _blocks(dataset)]
    return pa.chunked_array([chunk for part in parts for chunk in part.chunks], pa.string())


def _blocks(dataset: Any) -> Iterator[pa.ChunkedArray]:
    """The ids in scan order, about ``BLOCK_ROWS`` at a time: each look-up builds a table of what it looks in."""
    parts, rows = list[pa.Array](), 0
    for batch in dataset.to_batches(columns=[KEY], scan_in_order=True):
        parts.append(batch.column(KEY))
        rows += batch.num_rows
        if rows >= BLOCK_ROWS:
            yield pa.chunked_array(parts)
            parts, rows = [], 0
    yield pa.chunked_array(parts, pa.string())


def _in_share(ids: pa.ChunkedArray, share: int, shares: int) -> npt.NDArray[np.bool_]:
    if shares == 1:
        return np.ones(len(ids), np.bool_)
    endings = pc.utf8_slice_codeunits(ids, -_ENDING).combine_chunks().dictionary_encode()
    shares_of = np.array([crc32(ending.encode()) % shares for ending in endings.dictionary.to_pylist()], np.int64)
    return np.asarray(shares_of[endings.indices.to_numpy()] == share)


def _positions(bits: Bits) -> Iterator[Rows]:
    """The numbers of the bits that are set, in order."""
    for start in range(0, len(bits), _WALK_BYTES):
        yield np.flatnonzero(np.unpackbits(bits[start : start + _WALK_BYTES])) + start * 8
