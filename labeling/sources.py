"""Content that is too much for one machine: a folder or an object store's prefix, listed as shards.

A shard is what one worker reads, scores and writes at a time: a file, or a range of rows of a large Parquet file or
of a Lance dataset. Its key names where it lies, what it was when it was listed, and the range, so that a file that is
written anew is a new shard.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import lance
import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq

from labeling.errors import InvalidInput
from labeling.items import COLUMNS, Problem
from labeling.readers import SUFFIXES, ColumnMap, Row, arrow_row, read_rows, wanted_columns
from labeling.store.files import file_system

SHARD_ROWS = 50_000
LANCE = ".lance"
PARQUET = ".parquet"
BATCH_ROWS = 1024
LISTING_THREADS = 16  # the footers of Parquet files are read at once, for an object store answers slowly


@dataclass(frozen=True, slots=True)
class Shard:
    """Rows [start, stop) of the file or dataset at ``url``; ``stop`` is None where only reading tells the end.

    ``mark`` changes when the content does: size and time of a file, version of a Lance dataset.
    """

    url: str
    mark: str
    start: int = 0
    stop: int | None = None

    @property
    def rows(self) -> int | None:
        return None if self.stop is None else self.stop - self.start

    @property
    def key(self) -> str:
        """32 hex digits, the same for the same rows on every machine."""
        return sha256(self.as_json().encode()).hexdigest()[:32]

    @property
    def name(self) -> str:
        """As messages name it."""
        return self.url if self.stop is None else f"{self.url} rows {self.start} to {self.stop - 1}"

    def as_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Shard:
        return cls(**json.loads(text))


def list_shards(source: str, shard_rows: int = SHARD_ROWS) -> list[Shard]:
    """The shards of a file, a folder (with its subfolders) or a Lance dataset (a folder whose name ends in .lance).

    Files whose name, or whose folder's, begins with "." or "_" are left out, as are those of other formats. Raises
    InvalidInput when the source cannot be listed, or nothing in it can be read."""
    refuse_secret("source", source)
    try:
        if source.rstrip("/").endswith(LANCE):
            return _dataset_shards(source.rstrip("/"), shard_rows)
        system, base = file_system(source)
        files = [info for info in _files(system, base) if info.path.lower().endswith(SUFFIXES)]
        with ThreadPoolExecutor(LISTING_THREADS) as pool:
            found = pool.map(lambda info: _file_shards(system, info, _url(source, base, info.path), shard_rows), files)
            shards = [shard for part in found for shard in part]
    except (OSError, ValueError, pa.ArrowException) as error:
        raise InvalidInput(f"source: {source} cannot be listed: {error}") from error
    if not files:
        raise InvalidInput(f"source: {source} holds no file that can be read ({', '.join((*SUFFIXES, LANCE))})")
    return shards


def refuse_secret(what: str, url: str) -> None:
    """Raises InvalidInput for a URL with a password in it, since messages, logs and the lake keep URLs."""
    user, at, _ = url.partition("://")[2].partition("/")[0].rpartition("@")
    if at and ":" in user:  # what abfs://container@account names is no secret
        raise InvalidInput(
            f"{what}: is a URL with a password in it; give it in the environment, such as AWS_SECRET_ACCESS_KEY"
        )


def ranges(rows: int, most: int) -> list[tuple[int, int]]:
    """[0, rows) cut into as few equal parts as hold at most ``most`` rows each (they differ by one row at most)."""
    parts = -(-rows // most)
    return [(part * rows // parts, (part + 1) * rows // parts) for part in range(parts)]


def read_shard(shard: Shard, columns: ColumnMap | None = None) -> Iterator[Row | Problem]:
    """Stream a shard's rows, numbered from 1 within the file or dataset. Columns that an item does not have may be
    left out. Raises InvalidInput naming the place when it cannot be read, or was changed since it was listed."""
    try:
        if shard.url.endswith(LANCE):
            yield from _lance_rows(shard, columns or {})
            return
        system, path = file_system(shard.url)
        if _mark(system.get_file_info(path)) != shard.mark:
            raise InvalidInput(f"{shard.url}: changed while it was scored; run the same command again")
        if path.lower().endswith(PARQUET):
            yield from _parquet_rows(system.open_input_file(path), shard, columns or {})
        else:
            with _local_copy(system, path) as copy:
                yield from read_rows(copy, columns)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise InvalidInput(f"{shard.name}: cannot be read: {error}") from error


def _url(source: str, base: str, path: str) -> str:
    """The URL of a file below ``source``; of a local one, its absolute path."""
    return path if "://" not in source else source.rstrip("/") + path.removeprefix(base)


def _files(system: Any, base: str) -> list[Any]:
    info = system.get_file_info(base)
    if info.type == pyarrow.fs.FileType.File:
        return [info]
    found = system.get_file_info(pyarrow.fs.FileSelector(base, recursive=True))
    return sorted((info for info in found if _is_content(info, base)), key=lambda info: info.path)


def _is_content(info: Any, base: str) -> bool:
    parts = info.path.removeprefix(base).strip("/").split("/")
    hidden = any(part.startswith((".", "_")) or part.endswith(LANCE) for part in parts)
    return info.type == pyarrow.fs.FileType.File and not hidden


def _mark(info: Any) -> str:
    return f"{info.size} bytes {info.mtime_ns}"


def _file_shards(system: Any, info: Any, url: str, shard_rows: int) -> list[Shard]:
    if not info.path.lower().endswith(PARQUET):
        return [Shard(url, _mark(info))]
    with system.open_input_file(info.path) as file:
        rows = pq.read_metadata(file).num_rows
    return [Shard(url, _mark(info), start, stop) for start, stop in ranges(rows, shard_rows)]


def _dataset_shards(url: str, shard_rows: int) -> list[Shard]:
    url = url if "://" in url else str(Path(url).resolve())
    dataset = lance.dataset(url)
    rows = ranges(dataset.count_rows(), shard_rows)
    return [Shard(url, str(dataset.version), start, stop) for start, stop in rows]


def _lance_rows(shard: Shard, columns: ColumnMap) -> Iterator[Row | Problem]:
    dataset = lance.dataset(shard.url, version=int(shard.mark))
    names = _known(shard.url, dataset.schema.names, columns)
    batches = dataset.to_batches(columns=names, offset=shard.start, limit=shard.rows, batch_size=BATCH_ROWS)
    yield from _numbered(batches, shard.start, columns)


def _parquet_rows(opened: Any, shard: Shard, columns: ColumnMap) -> Iterator[Row | Problem]:
    with opened, pq.ParquetFile(opened) as file:
        names = _known(shard.url, file.schema_arrow.names, columns)
        sizes = [file.metadata.row_group(group).num_rows for group in range(file.metadata.num_row_groups)]
        groups, first = overlapping(sizes, shard.start, shard.stop or 0)
        batches = file.iter_batches(BATCH_ROWS, row_groups=groups, columns=names)
        yield from _numbered(_cut(batches, shard.start - first, shard.rows or 0), shard.start, columns)


def overlapping(sizes: Sequence[int], start: int, stop: int) -> tuple[list[int], int]:
    """The row groups that hold rows of [start, stop), and the number of the first one's first row."""
    groups, first, begins = list[int](), 0, 0
    for group, size in enumerate(sizes):
        if begins < stop and begins + size > start:
            first = first if groups else begins
            groups.append(group)
        begins += size
    return groups, first


def _cut(batches: Iterator[Any], skip: int, rows: int) -> Iterator[Any]:
    """The ``rows`` rows after the first ``skip``."""
    for batch in batches:
        part = batch.slice(min(skip, batch.num_rows), rows)
        skip, rows = max(0, skip - batch.num_rows), rows - part.num_rows
        if part.num_rows:
            yield part


def _known(url: str, names: Sequence[str], columns: ColumnMap) -> list[str]:
    """The columns that are ours under the map; a large source has many more."""
    return [name for name in wanted_columns(url, names, columns) if columns.get(name, name) in COLUMNS]


def _numbered(batches: Iterator[Any], start: int, columns: ColumnMap) -> Iterator[Row | Problem]:
    number = start
    for batch in batches:
        for position in range(batch.num_rows):
            number += 1
            yield arrow_row(batch, position, number, columns)


@contextmanager
def _local_copy(system: Any, path: str) -> Iterator[Path]:
    """The file itself where it is local, else a copy of it for as long as it is read."""
    if isinstance(system, pyarrow.fs.LocalFileSystem):
        yield Path(path)
        return
    with tempfile.TemporaryDirectory(prefix="goldfold-shard-") as folder:
        copy = Path(folder) / Path(path).name
        with system.open_input_file(path) as remote, copy.open("wb") as local:
            shutil.copyfileobj(remote, local, 2**20)
        yield copy
