"""The lake as many workers write it: each writes whole fragments, one process commits them.

A worker writes the rows of its shard as Lance fragments, which nobody sees, and hands their description over. The
one committer makes them part of the lake, which is one small commit a group however many rows there are. Ids make
that safe to do again: rows whose id is there already are left out, so a shard that was half committed when a process
died is simply written and committed once more.

The ids of a group are held in the committer's memory as 64-bit keys (8 bytes an item and group); a key that seems to
be there is looked up by its whole id before a row is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lance
import lance.file
import lance.fragment
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs

from labeling.records import Item
from labeling.store.files import file_system
from labeling.store.groups import KEY, check_schema
from labeling.store.interfaces import ITEMS
from labeling.store.lake import LanceLake, find_rows

RUNS = "_shards"  # a folder beside the groups: one small file for each shard that is done
DONE = ".json"
MERGE_PARTS = 16

U64 = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Written:
    """Fragments of one group that are on the storage and not yet in the lake: their descriptions as JSON."""

    group: str
    rows: int
    fragments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Committed:
    """``added`` rows are new; ``items`` are all of the shard's as the lake holds them (their identity only);
    ``changed``: item ids that are in the lake with other content, which stays."""

    version: int
    added: int
    items: tuple[Item, ...] = ()
    changed: tuple[str, ...] = ()


class LanceSink(LanceLake):
    """A lake with a writer's and a committer's side. One committer at a time; on a local folder it takes turns with
    every other writer, in an object store it must be the only one. Raises StoreError as ``LanceLake`` does."""

    def __init__(self, root: str | Path) -> None:
        super().__init__(root)
        self._keys_of: dict[str, tuple[int, KeySet]] = {}  # by group: the version they were read at, and the keys

    def write(self, group: str, table: pa.Table) -> Written:
        """Put rows (item_id first, each id once) on the storage; ``commit`` makes them part of the lake."""
        with self._datasets.plain_errors():
            try:
                return self._write(group, self._datasets.open(group), table)
            except OSError as error:
                if "already exists" not in str(error):
                    raise
                # The committer made the group between our look and our write: now it is there.
                return self._write(group, self._datasets.open(group), table)

    def commit_items(self, written: Written) -> Committed:
        """Commit rows of ``items``. Those that are there already stay as they are."""
        with self._datasets.writing():
            rows = self._read(written, [KEY, "external_id", "content_hash"])
            changed = self._changed(rows)
            version, added = self._commit(written, rows.column(KEY), changed)
        return Committed(version, added, tuple(_identities(rows, changed)), tuple(changed))

    def commit(self, written: Written, without: Sequence[str] = ()) -> int:
        """Commit rows of another group, those of the items ``without`` left out; how many were new."""
        with self._datasets.writing():
            return self._commit(written, self._read(written, [KEY]).column(KEY), without)[1]

    def finished(self, run: str) -> set[str]:
        """The keys of the shards that ``finish`` told of in this run."""
        with self._datasets.plain_errors():
            system, base = file_system(f"{self.root}/{RUNS}/{run}")
            found = system.get_file_info(pyarrow.fs.FileSelector(base, allow_not_found=True))
            return {info.base_name.removesuffix(DONE) for info in found if info.base_name.endswith(DONE)}

    def finish(self, run: str, key: str, record: dict[str, Any]) -> None:
        """Keep for good that a shard is committed, and what it held."""
        with self._datasets.plain_errors():
            system, base = file_system(f"{self.root}/{RUNS}/{run}")
            system.create_dir(base, recursive=True)
            # Under a name that is skipped first: unlike an object, a local file is there before it is whole.
            with system.open_output_stream(f"{base}/{key}.part") as file:
                file.write(json.dumps(record, sort_keys=True).encode())
            system.move(f"{base}/{key}.part", f"{base}/{key}{DONE}")

    def _write(self, group: str, dataset: Any, table: pa.Table) -> Written:
        if dataset is not None:
            table = check_schema(group, dataset.schema, table)
        mode = "create" if dataset is None else "append"
        made = lance.fragment.write_fragments(table, self._datasets.uri(group), mode=mode)
        return Written(group, table.num_rows, tuple(json.dumps(each.to_json()) for each in made))

    def _commit(self, written: Written, ids: pa.ChunkedArray, without: Sequence[str]) -> tuple[int, int]:
        """The version that holds the rows, and how many of them were new; the caller is the one writer."""
        group, dataset = written.group, self._datasets.open(written.group)
        keys = self._known_keys(group, dataset)
        if without or keys.any_of(keys_of(ids)):
            version, added = self._commit_rest(written, dataset, without)
        else:
            fragments = [lance.FragmentMetadata.from_json(text) for text in written.fragments]
            version, added = self._publish(group, dataset, fragments), written.rows
        keys.add(keys_of(ids))
        self._keys_of[group] = (version, keys)
        return version, added

    def _publish(self, group: str, dataset: Any, fragments: list[Any]) -> int:
        if not fragments:
            return 0 if dataset is None else int(dataset.version)
        if dataset is None:
            schema = lance.file.LanceFileReader(self._data_file(group, fragments[0])).metadata().schema
            operation, read_version = lance.LanceOperation.Overwrite(schema, fragments), None
        else:
            operation, read_version = lance.LanceOperation.Append(fragments), dataset.version
        return int(lance.LanceDataset.commit(self._datasets.uri(group), operation, read_version=read_version).version)

    def _commit_rest(self, written: Written, dataset: Any, without: Sequence[str]) -> tuple[int, int]:
        """Write the rows anew that are not there and not left out; the fragments become waste that ``compact``
        removes in time."""
        table = self._read(written, None)
        left_out = pa.array(without, pa.string())
        if dataset is not None:
            left_out = pa.concat_arrays([left_out, find_rows(dataset, table.column(KEY)).column(KEY).combine_chunks()])
        rest = table.filter(pc.invert(pc.is_in(table.column(KEY), value_set=left_out)))
        return self._add(written.group, dataset, rest), rest.num_rows

    def _changed(self, rows: pa.Table) -> list[str]:
        """Item ids that the lake has with other content."""
        dataset = self._datasets.open(ITEMS)
        if dataset is None or not self._known_keys(ITEMS, dataset).any_of(keys_of(rows.column(KEY))):
            return []
        there = find_rows(dataset, rows.column(KEY), "content_hash")
        ours = rows.column("content_hash").take(pc.index_in(there.column(KEY), value_set=rows.column(KEY)))
        differs = pc.not_equal(there.column("content_hash"), ours)
        changed: list[str] = there.column(KEY).filter(differs).to_pylist()
        return changed

    def _known_keys(self, group: str, dataset: Any) -> KeySet:
        """Every id of the group as a key, read anew when somebody else has written."""
        version = 0 if dataset is None else int(dataset.version)
        read_at, keys = self._keys_of.get(group, (-1, KeySet()))
        if read_at != version:
            keys = KeySet()
            if dataset is not None:
                for batch in dataset.to_batches(columns=[KEY]):
                    keys.add(keys_of(batch.column(KEY)))
            self._keys_of[group] = (version, keys)
        return keys

    def _read(self, written: Written, columns: list[str] | None) -> pa.Table:
        """Rows of fragments that are not in the lake."""
        fragments = [lance.FragmentMetadata.from_json(text) for text in written.fragments]
        paths = [self._data_file(written.group, fragment) for fragment in fragments]
        return pa.concat_tables(lance.file.LanceFileReader(p, columns=columns).read_all().to_table() for p in paths)

    def _data_file(self, group: str, fragment: Any) -> str:
        return f"{self._datasets.uri(group)}/data/{fragment.files[0].path}"


class KeySet:
    """A growing set of 64-bit keys, 8 bytes each: a few sorted arrays, merged when they become many."""

    def __init__(self) -> None:
        self._parts: list[U64] = []

    def any_of(self, keys: U64) -> bool:
        return any(bool((part[np.searchsorted(part, keys) % len(part)] == keys).any()) for part in self._parts)

    def add(self, keys: U64) -> None:
        if len(keys):
            self._parts.append(np.sort(keys))
        if len(self._parts) > MERGE_PARTS:
            self._parts = [np.sort(np.concatenate(self._parts), kind="stable")]


def keys_of(ids: pa.Array | pa.ChunkedArray) -> U64:
    """The first 64 of an item id's 80 bits."""
    digits = "".join(pc.utf8_slice_codeunits(ids, 3, 19).to_pylist())
    return np.frombuffer(bytes.fromhex(digits), ">u8").astype(np.uint64)


def _identities(rows: pa.Table, without: Iterable[str]) -> list[Item]:
    """Items without their text: what the ledger registers."""
    skip = set(without)
    return [Item(text="", **row) for row in rows.to_pylist() if row[KEY] not in skip]
