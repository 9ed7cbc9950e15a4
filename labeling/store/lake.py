"""The lake on Lance: one dataset per column group in a folder, or under an object store's prefix.

Lance has no unique key, so writers of a local lake take turns (a file lock) and skip what is there. An object store
has no such lock: let one process at a time write a group there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labeling.errors import DuplicateItem, InvalidInput, UnknownItem
from labeling.records import Item
from labeling.store.datasets import Datasets
from labeling.store.gap import LanceGap
from labeling.store.groups import ITEM_SCHEMA, KEY, check_schema, column_table, item_table, together
from labeling.store.interfaces import ITEMS
from labeling.store.rows import chunks, name_some

_DELETE_CHUNK = 10_000  # ids in one predicate


class LanceLake:
    """``Lake`` under ``root``: a folder (made if missing) or a URI such as ``s3://bucket/prefix``.

    Every call sees what other processes have committed. ``compact`` drops versions older than ``keep_versions_s``,
    which is how long a reader may hold one, and how long erased rows may stay on the disk.
    Raises StoreError whenever the storage cannot be used.
    """

    def __init__(self, root: str | Path, *, keep_versions_s: float = 3600.0) -> None:
        self._keep = timedelta(seconds=keep_versions_s)
        self._datasets = Datasets(root)
        self.root = self._datasets.root
        self._add_new_fields()

    def append(self, items: Sequence[Item]) -> int:
        """Items already there with the same content are skipped; with other content they are a DuplicateItem."""
        table = item_table(items)
        with self._datasets.writing():
            dataset = self._datasets.open(ITEMS)
            return self._add(ITEMS, dataset, _new_items(dataset, table))

    def add_columns(self, group: str, item_ids: Sequence[str], columns: Mapping[str, pa.Array]) -> int:
        table = column_table(group, item_ids, columns)
        with self._datasets.writing():
            dataset = self._datasets.open(group)
            if dataset is not None:
                table = check_schema(group, dataset.schema, table)
                there = find_rows(dataset, table.column(KEY))
                table = table.filter(pc.invert(pc.is_in(table.column(KEY), value_set=there.column(KEY))))
            return self._add(group, dataset, table)

    def groups(self) -> list[str]:
        """Sorted."""
        return self._datasets.names()

    def columns(self, group: str) -> list[str]:
        dataset = self._datasets.open(group)
        return [] if dataset is None else [name for name in dataset.schema.names if name != KEY]

    def ids(self, group: str = ITEMS) -> list[str]:
        return sorted(self._keys(group).to_pylist())

    def missing(self, group: str) -> list[str]:
        wanted = self._keys(ITEMS)
        there = pc.is_in(wanted, value_set=self._keys(group))
        return sorted(wanted.filter(pc.invert(there)).to_pylist())

    def gap(
        self,
        group: str,
        *,
        within: Sequence[str] = (),
        without: Sequence[str] = (),
        where: Mapping[str, str] | None = None,
    ) -> LanceGap:
        """Raises InvalidInput for a group's name that cannot be one."""
        return LanceGap(self._datasets, group, ITEMS, within, without, where or {})

    def take(self, item_ids: Sequence[str], columns: Sequence[str], group: str = ITEMS) -> pa.Table:
        """An id asked for twice comes twice. Raises InvalidInput for a column that is not there."""
        dataset = self._datasets.open(group)
        if dataset is None:
            raise UnknownItem(f"the lake has no column group {group!r} yet")
        names = _project(group, dataset, columns)
        with self._datasets.plain_errors():
            wanted = pa.array(item_ids, pa.string())
            there = find_rows(dataset, wanted)
            index = pc.index_in(wanted, value_set=there.column(KEY))
            if index.null_count:
                unknown = list(dict.fromkeys(wanted.filter(index.is_null()).to_pylist()))
                raise UnknownItem(f"items that are not in the lake's {group!r}: {name_some(unknown)}")
            if len(wanted) == 0:
                return pa.schema([dataset.schema.field(name) for name in names]).empty_table()
            return dataset.take(there.column("position").take(index).combine_chunks(), columns=names)

    def scan(self, columns: Sequence[str], group: str = ITEMS, batch_rows: int = 8192) -> Iterator[pa.RecordBatch]:
        """One version from start to end, whatever is written meanwhile; nothing when the group does not exist."""
        dataset = self._datasets.open(group)
        if dataset is None:
            return iter(())
        return self._stream(dataset, _project(group, dataset, columns), batch_rows)

    def count(self, group: str = ITEMS) -> int:
        dataset = self._datasets.open(group)
        with self._datasets.plain_errors():
            return 0 if dataset is None else int(dataset.count_rows())

    def snapshot(self) -> int:
        dataset = self._datasets.open(ITEMS)
        return 0 if dataset is None else int(dataset.version)

    def delete(self, item_ids: Sequence[str]) -> None:
        """``items`` last, so that a delete cut short is found and done again. Unknown ids are skipped."""
        wanted = pa.array(sorted(set(item_ids)), pa.string())
        with self._datasets.writing():
            for group in sorted(self.groups(), key=lambda group: group == ITEMS):
                dataset = self._datasets.open(group)
                for part in chunks(find_rows(dataset, wanted).column(KEY).to_pylist(), _DELETE_CHUNK):
                    dataset.delete(f"{KEY} IN ({', '.join(_quote(item_id) for item_id in part)})")

    def erase(self, item_ids: Sequence[str]) -> None:
        """Files of a write that was killed before its commit are Lance's to remove, a week after they were made."""
        self.delete(item_ids)
        self._compact(timedelta(0))

    def compact(self) -> None:
        self._compact(self._keep)

    def _compact(self, keep: timedelta) -> None:
        with self._datasets.writing():
            for group in self.groups():
                dataset = self._datasets.open(group)
                dataset.optimize.compact_files(materialize_deletions=True, materialize_deletions_threshold=0.0)
                dataset.cleanup_old_versions(older_than=keep)

    def _add_new_fields(self) -> None:
        """Items written by an older Goldfold get the columns it did not know, empty."""
        if self._datasets.open(ITEMS) is None or not _new_fields(self._datasets.open(ITEMS)):
            return
        with self._datasets.writing():
            dataset = self._datasets.open(ITEMS)
            if missing := _new_fields(dataset):  # two processes may open it at once
                dataset.add_columns(pa.schema(missing))

    def _add(self, group: str, dataset: Any, table: pa.Table) -> int:
        """The version that holds the rows."""
        added = self._datasets.add(group, dataset, table)
        return 0 if added is None else int(added.version)

    def _keys(self, group: str) -> pa.ChunkedArray:
        dataset = self._datasets.open(group)
        with self._datasets.plain_errors():
            if dataset is None:
                return pa.chunked_array([], pa.string())
            return dataset.to_table(columns=[KEY]).column(KEY)

    def _stream(self, dataset: Any, names: list[str], batch_rows: int) -> Iterator[pa.RecordBatch]:
        with self._datasets.plain_errors():
            yield from dataset.to_batches(columns=names, batch_size=batch_rows)


def _new_fields(dataset: Any) -> list[pa.Field]:
    return [field for field in ITEM_SCHEMA if field.name not in dataset.schema.names]


def find_rows(dataset: Any, wanted: pa.Array, *columns: str) -> pa.Table:
    """The rows of ``dataset`` whose id is wanted: item_id, ``columns``, and ``position`` as ``take`` counts."""
    start, parts = 0, []
    batches = dataset.to_batches(columns=[KEY, *columns], scan_in_order=True)
    for table in together(batches, len(wanted)):
        position = pa.array(np.arange(start, start + table.num_rows, dtype=np.uint64))
        start += table.num_rows
        parts.append(table.append_column("position", position).filter(pc.is_in(table.column(KEY), value_set=wanted)))
    schema = pa.schema([*(dataset.schema.field(name) for name in (KEY, *columns)), pa.field("position", pa.uint64())])
    return pa.concat_tables(parts) if parts else schema.empty_table()


def _new_items(dataset: Any, table: pa.Table) -> pa.Table:
    """The rows of ``table`` that the lake lacks."""
    if dataset is None:
        return table
    table = check_schema(ITEMS, dataset.schema, table)
    there = find_rows(dataset, table.column(KEY), "content_hash")
    index = pc.index_in(table.column(KEY), value_set=there.column(KEY))
    same = pc.equal(there.column("content_hash").take(index), table.column("content_hash"))
    changed = table.filter(pc.fill_null(pc.invert(same), fill_value=False)).column("external_id").to_pylist()
    if changed:
        raise DuplicateItem(f"external ids that are in the lake with other content: {name_some(changed)}")
    return table.filter(pc.is_null(index))


def _project(group: str, dataset: Any, columns: Sequence[str]) -> list[str]:
    names = [KEY, *(name for name in columns if name != KEY)]
    if unknown := [name for name in names if name not in dataset.schema.names]:
        raise InvalidInput(
            f"column group {group!r} has no column {', '.join(unknown)}; it has {', '.join(dataset.schema.names)}"
        )
    return names


def _quote(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
