"""Rows streamed out of JSONL, CSV and Parquet files, one at a time; what cannot be read is named by row.

Row numbers count from 1: the line of the file for JSONL and CSV (where a record begins), the row for Parquet.
"""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple, cast

import pyarrow as pa
import pyarrow.parquet as pq

from labeling.errors import InvalidInput
from labeling.items import COLUMNS, Problem

ColumnMap = Mapping[str, str | None]  # the file's column -> ours, or None: leave it out
SUFFIXES = (".jsonl", ".jsonl.gz", ".csv", ".csv.gz", ".parquet")
MAX_LINE_BYTES = 64 * 2**20  # a "line" beyond this is not JSONL, and must not fill the memory
PARQUET_BATCH_ROWS = 1024
_BOM = "\ufeff"


class Row(NamedTuple):
    """Column -> value, absent where the file has nothing."""

    number: int
    values: dict[str, object]


def column_map(renames: Sequence[str] = (), drops: Sequence[str] = ()) -> dict[str, str | None]:
    """The map of ``ours=theirs`` pairs and columns to leave out. Raises InvalidInput naming the pair."""
    columns: dict[str, str | None] = dict.fromkeys(drops)
    for pair in renames:
        ours, equals, theirs = (part.strip() for part in pair.partition("="))
        if not equals or not theirs or ours not in COLUMNS:
            raise InvalidInput(f"map: {pair!r}: write ours=theirs, where ours is one of {', '.join(COLUMNS)}")
        if theirs in columns or ours in columns.values():
            raise InvalidInput(f"map: {pair!r}: {ours!r} or {theirs!r} is mapped or dropped twice")
        columns[theirs] = ours
    return columns


def read_rows(path: Path, columns: ColumnMap | None = None) -> Iterator[Row | Problem]:
    """Stream a file's rows; a row that cannot be read comes as a Problem and the next ones follow.

    Raises InvalidInput, naming the file and the place, when nothing after it could be trusted: wrong extension,
    not that format, an empty file, invalid UTF-8 or a broken record in a CSV, a column twice.
    """
    read = _reader_of(path)
    empty = True
    try:
        for row in read(path, columns or {}):
            empty = False
            yield row
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InvalidInput(f"{path}: is not a whole gzip file ({error}); copy it again") from error
    except pa.ArrowException as error:
        raise InvalidInput(f"{path}: cannot be read as Parquet: {error}") from error
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be read: {error.strerror or error}") from error
    if empty:
        raise InvalidInput(f"{path}: holds no rows")


def _reader_of(path: Path) -> Callable[[Path, ColumnMap], Iterator[Row | Problem]]:
    name = path.name.lower()
    if name.endswith((".jsonl", ".jsonl.gz")):
        return _jsonl
    if name.endswith((".csv", ".csv.gz")):
        return _csv
    if name.endswith(".parquet"):
        return _parquet
    raise InvalidInput(f"{path}: cannot tell its format; the name must end in {', '.join(SUFFIXES)}")


def _renamed(pairs: Sequence[tuple[str, object]], columns: ColumnMap) -> dict[str, object]:
    """Pairs as a row, mapped and without gaps. Raises ValueError naming a column that comes twice."""
    row: dict[str, object] = {}
    for theirs, value in pairs:
        ours = columns.get(theirs, theirs)
        if ours is None:
            continue
        if ours in row:
            raise ValueError(f"column {ours!r} comes twice")
        if value is not None or ours not in COLUMNS:  # an unknown column is told even where it is empty
            row[ours] = value
    return row


def _jsonl(path: Path, columns: ColumnMap) -> Iterator[Row | Problem]:
    for number, offset, line in _lines(path):
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            yield Problem(number, "", _bad_utf8(offset + error.start))
            continue
        text = text.removeprefix(_BOM) if number == 1 else text
        if not text.strip():
            continue
        try:
            value = _DECODER.decode(text)
            if not isinstance(value, dict):
                raise ValueError(f'expected an object such as {{"external_id": ...}}, found {type(value).__name__}')
            yield Row(number, _renamed(list(value.items()), columns))
        except (ValueError, RecursionError) as error:
            yield Problem(number, "", _not_json(text, error))


def _not_json(text: str, error: Exception) -> str:
    if "\x00" in text:
        return "holds a NUL byte; remove it"
    where = (
        f"{error.msg.removesuffix(' at')} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else error
    )
    return f"is not a JSON row: {where}"


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) < len(pairs):  # json would keep the last value and say nothing
        names = [name for name, _ in pairs]
        raise ValueError(f"key {next(name for name in names if names.count(name) > 1)!r} comes twice")
    return made


_DECODER = json.JSONDecoder(object_pairs_hook=_object)


def _csv(path: Path, columns: ColumnMap) -> Iterator[Row | Problem]:
    reader = csv.reader(_text_lines(path), strict=True)
    begins = 1
    try:
        header = next(reader, [])
        _check_header(path, header, columns)
        begins = reader.line_num + 1
        for cells in reader:
            if cells and len(cells) != len(header):
                yield Problem(begins, "", f"has {len(cells)} cells where the header has {len(header)}; quote commas")
            elif cells:
                pairs = [(name, cell or None) for name, cell in zip(header, cells, strict=True)]
                yield Row(begins, _renamed(pairs, columns))
            begins = reader.line_num + 1
    except csv.Error as error:
        cure = (
            f"; use JSONL or Parquet for texts over {csv.field_size_limit()} characters"
            if "limit" in str(error)
            else ""
        )
        raise InvalidInput(f"{path}: row {begins}: is not CSV: {error}{cure}") from error


def _check_header(path: Path | str, header: Sequence[str], columns: ColumnMap) -> None:
    if not header:
        raise InvalidInput(f"{path}: is empty; the first line must name the columns ({', '.join(COLUMNS)})")
    try:
        _renamed([(name, "") for name in header], columns)
    except ValueError as error:
        raise InvalidInput(f"{path}: header: {error}; rename or drop one") from error


def _parquet(path: Path, columns: ColumnMap) -> Iterator[Row | Problem]:
    number = 0
    with pq.ParquetFile(path) as file:
        wanted = wanted_columns(path, file.schema_arrow.names, columns)
        for batch in file.iter_batches(PARQUET_BATCH_ROWS, columns=wanted):
            for position in range(batch.num_rows):
                number += 1
                yield arrow_row(batch, position, number, columns)


def wanted_columns(path: Path | str, names: Sequence[str], columns: ColumnMap) -> list[str]:
    """The columns that are not left out. Raises InvalidInput when two of them get one name."""
    _check_header(path, names, columns)
    return [name for name in names if columns.get(name, name) is not None]


def arrow_row(batch: pa.RecordBatch, position: int, number: int, columns: ColumnMap) -> Row | Problem:
    """One row of an Arrow batch, known as row ``number``."""
    try:
        pairs = [
            (name, column[position].as_py()) for name, column in zip(batch.schema.names, batch.columns, strict=True)
        ]
    except (UnicodeDecodeError, ValueError, OverflowError) as error:
        return Problem(number, "", f"cannot be read: {error}")
    return Row(number, _renamed(pairs, columns))


def _text_lines(path: Path) -> Iterator[str]:
    for number, offset, line in _lines(path):
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InvalidInput(f"{path}: row {number}: {_bad_utf8(offset + error.start)}") from error
        yield text.removeprefix(_BOM) if number == 1 else text


def _lines(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """(line number, byte offset of its start, line with its break) of a plain or gzipped file."""
    number = offset = 0
    with _open(path) as file:
        while line := file.readline(MAX_LINE_BYTES + 1):
            number += 1
            if len(line) > MAX_LINE_BYTES:
                raise InvalidInput(
                    f"{path}: row {number}: is longer than {MAX_LINE_BYTES} bytes; break the file in lines"
                )
            yield number, offset, line
            offset += len(line)


def _open(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path, "rb")) if path.name.lower().endswith(".gz") else path.open("rb")


def _bad_utf8(at: int) -> str:
    return f"is not valid UTF-8 at byte {at} of the file's text; save the file as UTF-8"
