"""The lake on Lance: one dataset per column group in a folder, or under an object store's prefix.

Lance has no unique key, so writers of a local lake take turns (a file lock) and skip what is there. An object store
has no such lock: let one process at a time write a group there.
"""

from __future__ import annotations

import fcntl
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import lance
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs

from labeling.errors import DuplicateItem, InvalidInput, StoreError, UnknownItem
from labeling.records import Item
from labeling.store.groups import KEY, check_name, check_schema, column_table, item_table
from labeling.store.interfaces import ITEMS
from labeling.store.rows import chunks, name_some

_SUFFIX = ".lance"
_LOCK = ".writer.lock"
_DELETE_CHUNK = 10_000  # ids in one predicate
_SOURCE_LINE = re.compile(r",?\s*(location:\s*)?/\S+\.rs:\d+:\d+")

_ADVICE = {
    "No space left": "the disk is full; free some space and run it again, nothing was half-written",
    "File too large": "the disk or a quota is full; free some space and run it again, nothing was half-written",
    "Permission denied": "it may not be written or read; check the permissions",
    "Read-only file system": "it may not be written; check the permissions",
}


class LanceLake:
    """``Lake`` under ``root``: a folder (made if missing) or a URI such as ``s3://bucket/prefix``.

    Every call sees what other processes have committed. ``compact`` drops versions older than ``keep_versions_s``,
    which is how long a reader may hold one, and how long erased rows may stay on the disk.
    Raises StoreError whenever the storage cannot be used.
    """

    def __init__(self, root: str | Path, *, keep_versions_s: float = 3600.0) -> None:
        self._keep = timedelta(seconds=keep_versions_s)
        self._local = None if "://" in str(root) else Path(root).resolve()
        self.root = str(self._local or root).rstrip("/")
        with self._plain_errors():
            if self._local is not None:
                self._local.mkdir(parents=True, exist_ok=True)

    def append(self, items: Sequence[Item]) -> int:
        """Items already there with the same content are skipped; with other content they are a DuplicateItem."""
        table = item_table(items)
        with self._writing():
            dataset = self._open(ITEMS)
            return self._add(ITEMS, dataset, _new_items(dataset, table))

    def add_columns(self, group: str, item_ids: Sequence[str], columns: Mapping[str, pa.Array]) -> int:
        table = column_table(group, item_ids, columns)
        with self._writing():
            dataset = self._open(group)
            if dataset is not None:
                table = check_schema(group, dataset.schema, table)
                there = find_rows(dataset, table.column(KEY))
                table = table.filter(pc.invert(pc.is_in(table.column(KEY), value_set=there.column(KEY))))
            return self._add(group, dataset, table)

    def groups(self) -> list[str]:
        """Sorted."""
        with self._plain_errors():
            self._check_root()
            system, base = self._file_system()
            found = system.get_file_info(pyarrow.fs.FileSelector(base, allow_not_found=True))
        names = [entry.base_name.removesuffix(_SUFFIX) for entry in found if entry.base_name.endswith(_SUFFIX)]
        return sorted(name for name in names if self._open(name) is not None)

    def columns(self, group: str) -> list[str]:
        dataset = self._open(group)
        return [] if dataset is None else [name for name in dataset.schema.names if name != KEY]

    def ids(self, group: str = ITEMS) -> list[str]:
        return sorted(self._keys(group).to_pylist())

    def missing(self, group: str) -> list[str]:
        wanted = self._keys(ITEMS)
        there = pc.is_in(wanted, value_set=self._keys(group))
        return sorted(wanted.filter(pc.invert(there)).to_pylist())

    def take(self, item_ids: Sequence[str], columns: Sequence[str], group: str = ITEMS) -> pa.Table:
        """An id asked for twice comes twice. Raises InvalidInput for a column that is not there."""
        dataset = self._open(group)
        if dataset is None:
            raise UnknownItem(f"the lake has no column group {group!r} yet")
        names = _project(group, dataset, columns)
        with self._plain_errors():
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
        dataset = self._open(group)
        if dataset is None:
            return iter(())
        return self._stream(dataset, _project(group, dataset, columns), batch_rows)

    def count(self, group: str = ITEMS) -> int:
        dataset = self._open(group)
        with self._plain_errors():
            return 0 if dataset is None else int(dataset.count_rows())

    def snapshot(self) -> int:
        dataset = self._open(ITEMS)
        return 0 if dataset is None else int(dataset.version)

    def delete(self, item_ids: Sequence[str]) -> None:
        """``items`` last, so that a delete cut short is found and done again. Unknown ids are skipped."""
        wanted = pa.array(sorted(set(item_ids)), pa.string())
        with self._writing():
            for group in sorted(self.groups(), key=lambda group: group == ITEMS):
                dataset = self._open(group)
                for part in chunks(find_rows(dataset, wanted).column(KEY).to_pylist(), _DELETE_CHUNK):
                    dataset.delete(f"{KEY} IN ({', '.join(_quote(item_id) for item_id in part)})")

    def compact(self) -> None:
        with self._writing():
            for group in self.groups():
                dataset = self._open(group)
                dataset.optimize.compact_files(materialize_deletions=True, materialize_deletions_threshold=0.0)
                dataset.cleanup_old_versions(older_than=self._keep)

    def _add(self, group: str, dataset: Any, table: pa.Table) -> int:
        """One commit; none when there is nothing to add. Returns the version that holds the rows."""
        if table.num_rows == 0:
            return 0 if dataset is None else int(dataset.version)
        mode = "create" if dataset is None else "append"
        return int(lance.write_dataset(table, self._uri(group), mode=mode).version)

    def _keys(self, group: str) -> pa.ChunkedArray:
        dataset = self._open(group)
        with self._plain_errors():
            if dataset is None:
                return pa.chunked_array([], pa.string())
            return dataset.to_table(columns=[KEY]).column(KEY)

    def _stream(self, dataset: Any, names: list[str], batch_rows: int) -> Iterator[pa.RecordBatch]:
        with self._plain_errors():
            yield from dataset.to_batches(columns=names, batch_size=batch_rows)

    def _open(self, group: str) -> Any:
        """The newest version of a group's dataset; None when there is none."""
        uri = self._uri(check_name(group))
        with self._plain_errors():
            self._check_root()
            try:
                return lance.dataset(uri)
            except ValueError as error:
                if "was not found" in str(error):  # also a first append that was killed before its commit
                    return None
                raise

    def _uri(self, group: str) -> str:
        return f"{self.root}/{group}{_SUFFIX}"

    def _file_system(self) -> tuple[Any, str]:
        if self._local is not None:
            return pyarrow.fs.LocalFileSystem(), str(self._local)
        system, base = pyarrow.fs.FileSystem.from_uri(self.root)
        return system, base

    def _check_root(self) -> None:
        if self._local is not None and not self._local.is_dir():
            raise StoreError(f"the lake {self.root}: the folder is gone or is no folder; bring it back")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One writer at a time on this machine, other processes and threads included."""
        with self._plain_errors():
            if self._local is None:
                yield
                return
            self._check_root()
            with (self._local / _LOCK).open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)  # given back when the file is closed, or the process dies
                yield

    @contextmanager
    def _plain_errors(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError, RuntimeError, pa.ArrowException) as error:
            raise StoreError(self._say(error)) from error

    def _say(self, error: Exception) -> str:
        text = " ".join(_SOURCE_LINE.sub("", str(error)).split())
        advice = next((advice for sign, advice in _ADVICE.items() if sign in text), None)
        if advice is not None:
            return f"the lake {self.root}: {advice} ({text})"
        return f"the lake {self.root} cannot be used; check the folder, or restore a backup if it is damaged ({text})"


def find_rows(dataset: Any, wanted: pa.Array, *columns: str) -> pa.Table:
    """The rows of ``dataset`` whose id is wanted: item_id, ``columns``, and ``position`` as ``take`` counts."""
    start, parts = 0, []
    for batch in dataset.to_batches(columns=[KEY, *columns], scan_in_order=True):
        position = pa.array(range(start, start + batch.num_rows), pa.uint64())
        start += batch.num_rows
        parts.append(batch.append_column("position", position).filter(pc.is_in(batch.column(KEY), value_set=wanted)))
    schema = pa.schema([*(dataset.schema.field(name) for name in (KEY, *columns)), pa.field("position", pa.uint64())])
    return pa.Table.from_batches(parts, schema=parts[0].schema if parts else schema)


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
