"""Write partitions of a golden version for a trainer: Parquet, JSON Lines or CSV, with a dataset card.

``datasets.load_dataset(FOLDER)`` reads each of them, partitions as splits. The folder appears whole or not at all. The
sealed partition never leaves: it is there to judge models with, and only the figures come out.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from labeling.errors import Conflict, InvalidInput, NothingToDo, StoreError
from labeling.golden.card import Contents, card
from labeling.golden.features import COLUMNS, SCHEMA, Row, cells, row
from labeling.golden.leaks import EVALUATION, refuse_leaks
from labeling.golden.partition import DUPLICATE_COSINE
from labeling.golden.publish import sync_folder
from labeling.golden.vectors import Vectors, no_vectors
from labeling.golden_records import Erratum
from labeling.records import GoldenItem, GoldenVersion, GoldState, Outcome, Partition

BATCH_ROWS = 2000
FORMS = ("parquet", "jsonl", "csv")
Progress = Callable[[int, int], None]  # (rows written, rows in all)


class GoldenReader(Protocol):
    """The part of the ledger that exporting reads."""

    def items(self) -> list[GoldenItem]: ...
    def version(self, version: str) -> GoldenVersion: ...
    def members(self, version: str) -> list[GoldenItem]: ...
    def errata(self, version: str) -> list[Erratum]: ...


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: ``counts`` maps partition -> rows."""

    version: str
    folder: Path
    form: str
    rows: int
    counts: dict[str, int]


def export(
    golden: GoldenReader,
    version: str,
    folder: Path,
    *,
    form: str = "parquet",
    partitions: Sequence[str] = ("train",),
    vectors: Vectors = no_vectors,
    cosine: float = DUPLICATE_COSINE,
    progress: Progress | None = None,
) -> Exported:
    """Write ``partitions`` of a version into ``folder``, which must not exist yet.

    Raises NotFound (version), InvalidInput (a partition or format that cannot be exported), Conflict (the folder is
    there, or the version is not released), LeakError (a training row gives away an evaluation item, of this version or
    of the golden set as it is now), NothingToDo (no rows), StoreError (the disk). Whatever is raised, ``folder`` is not
    there.
    """
    wanted = checked(form, partitions, folder)
    published = golden.version(version)
    members = golden.members(version)
    if Partition.TRAIN in wanted:
        refuse_leaks(training_rows(members), evaluation_rows(members, golden.items()), vectors, cosine)
    usable = {p.value: [m for m in members if m.partition is p and _usable(m)] for p in wanted}
    chosen = {name: rows for name, rows in usable.items() if rows}
    if not chosen:
        raise NothingToDo(f"golden version {version} holds no row in {', '.join(usable)}")
    exported = {(item.item_id, item.policy_id) for rows in chosen.values() for item in rows}
    everything = [item for rows in chosen.values() for item in rows]
    contents = Contents(
        version=published,
        form=form,
        members=chosen,
        files={name: f"data/{name}.{form}" for name in chosen},
        cosine=cosine,
        unembedded=len(everything)
        - len({i.item_id for i in everything} & vectors([i.item_id for i in everything]).keys()),
        erased=sum(m.partition in wanted and not _usable(m) for m in members),
        errata=[e for e in golden.errata(version) if (e.item_id, e.policy_id) in exported],
    )
    _write_folder(folder, contents, progress or _silent)
    counts = {name: len(rows) for name, rows in chosen.items()}
    return Exported(version, folder, form, sum(counts.values()), counts)


def training_rows(members: Sequence[GoldenItem]) -> list[GoldenItem]:
    """Those of a version's members that a model may learn from."""
    return [m for m in members if m.partition is Partition.TRAIN and _usable(m)]


def evaluation_rows(members: Sequence[GoldenItem], now: Sequence[GoldenItem]) -> list[GoldenItem]:
    """Everything that training must not give away: of a version, and of the golden set as it is now."""
    return [item for item in (*members, *now) if item.partition in EVALUATION]


def checked(form: str, partitions: Sequence[str], folder: Path) -> list[Partition]:
    """What is asked for, where it may be. Raises InvalidInput, Conflict (the folder is there)."""
    if form not in FORMS:
        raise InvalidInput(f"format: {form!r} is not one of {', '.join(FORMS)}")
    known = [p.value for p in Partition if p is not Partition.SEALED]
    for name in partitions:
        if name == Partition.SEALED:
            raise InvalidInput("partitions: sealed is never exported; ask for the figures of a model on it instead")
        if name not in known:
            raise InvalidInput(f"partitions: {name!r} is not one of {', '.join(known)}")
    if not partitions:
        raise InvalidInput(f"partitions: name at least one of {', '.join(known)}")
    if folder.exists() or folder.is_symlink():
        raise Conflict(f"{folder} is there already; an export never overwrites, choose another folder")
    return [Partition(name) for name in dict.fromkeys(partitions)]


def _usable(item: GoldenItem) -> bool:
    return item.state is GoldState.ACTIVE and bool(item.text) and item.outcome is not Outcome.CONTEXT_MISSING


def _write_folder(folder: Path, contents: Contents, progress: Progress) -> None:
    temporary = folder.with_name(f".{folder.name}.{uuid4().hex}")
    try:
        (temporary / "data").mkdir(parents=True)
        done, total = 0, sum(len(rows) for rows in contents.members.values())
        for name, items in contents.members.items():
            rows = (row(item, contents.version.version) for item in items)
            for written in WRITERS[contents.form](temporary / contents.files[name], rows):
                done += written
                progress(done, total)
        (temporary / "README.md").write_text(card(contents), encoding="utf-8")
        _sync(temporary)
        _move(temporary, folder)
    except OSError as error:
        raise StoreError(
            f"{folder}: the export cannot be written: {error.strerror or error}; nothing is left"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _move(temporary: Path, folder: Path) -> None:
    try:
        temporary.rename(folder)
    except OSError as error:
        if folder.exists():
            raise Conflict(f"{folder} was made by somebody else meanwhile; choose another folder") from error
        raise
    sync_folder(folder.parent)


def _sync(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb+") as file:
                os.fsync(file.fileno())
        else:
            sync_folder(path)
    sync_folder(folder)


def _write_parquet(path: Path, rows: Iterator[Row]) -> Iterator[int]:
    with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        for batch in _batches(rows):
            writer.write_table(pa.Table.from_pylist(batch, schema=SCHEMA))
            yield len(batch)


def _write_jsonl(path: Path, rows: Iterator[Row]) -> Iterator[int]:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for batch in _batches(rows):
            file.writelines(json.dumps(values, ensure_ascii=False, allow_nan=False) + "\n" for values in batch)
            yield len(batch)


def _write_csv(path: Path, rows: Iterator[Row]) -> Iterator[int]:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC)
        writer.writerow([column.name for column in COLUMNS])
        for batch in _batches(rows):
            writer.writerows(cells(values) for values in batch)
            yield len(batch)


WRITERS: dict[str, Callable[[Path, Iterator[Row]], Iterator[int]]] = {
    "parquet": _write_parquet,
    "jsonl": _write_jsonl,
    "csv": _write_csv,
}


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    batch: list[Row] = []
    for values in rows:
        batch.append(values)
        if len(batch) == BATCH_ROWS:
            yield batch
            batch = []
    if batch:
        yield batch


def _silent(done: int, total: int) -> None:
    """No progress asked for."""
