"""Write partitions of a golden version for a trainer: Parquet, JSON Lines, CSV or Label Studio's tasks, with a card.

``datasets.load_dataset(FOLDER)`` reads the first three, partitions as splits, and Croissant metadata describes them.
The folder appears whole or not at all. Rows are streamed. The sealed partition never leaves: it is there to judge
models with, and only the figures come out.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from labeling.errors import Conflict, InvalidInput, NothingToDo, StoreError
from labeling.golden import text
from labeling.golden.card import Contents, LeftOut, Tally, card, holes
from labeling.golden.columns import COMPARED, EXPORTED, has_content, usable
from labeling.golden.croissant import ENCODINGS, FILE, DataFile, croissant
from labeling.golden.enclosures import NO_MEDIA, Enclosing, Telling
from labeling.golden.features import LABELS, Row, cells
from labeling.golden.leaks import EVALUATION, Sides, compared, refuse_mixed
from labeling.golden.partition import DUPLICATE_COSINE
from labeling.golden.publish import sync_folder
from labeling.golden.stale import Moved
from labeling.golden.text import TEXT
from labeling.golden.vectors import Vectors, no_vectors
from labeling.golden_records import Erratum
from labeling.pictures import Pictures, no_pictures
from labeling.records import Answer, GoldenItem, GoldenVersion, GoldState, Outcome, Partition
from labeling.studio.label_config import build_result

NO_CAPTION = "(no text)"  # Label Studio wants every variable of a form
IN_TASKS = ("text", "item_id", "external_id", "policy_id", "policy_version", "language", "golden_version")
Progress = Callable[[int, int], None]  # (rows written, rows in all)
Batches = Iterator[pa.RecordBatch]


class GoldenReader(Protocol):
    """The part of the ledger that exporting reads."""

    def version(self, version: str) -> GoldenVersion: ...
    def drifted(self, version: str) -> Iterator[GoldenItem]: ...
    def columns(self, version: str, partition: str, names: Sequence[str]) -> Iterator[pa.RecordBatch]: ...
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
    pictures: Pictures = no_pictures,
    enclosing: Enclosing = NO_MEDIA,
    progress: Progress | None = None,
) -> Exported:
    """Write ``partitions`` of a version into ``folder``, which must not exist yet; ``enclosing``: what becomes of
    images' media.

    Raises NotFound (version), InvalidInput (a partition or format that cannot be exported), Conflict (the folder is
    there, or the version is not released), LeakError (a training row gives away an evaluation item, of this version or
    of the golden set as it is now), NothingToDo (no rows), IntegrityError (an image that is not what people judged),
    StoreError (the disk). Whatever is raised, ``folder`` is not there.
    """
    wanted = checked(form, partitions, folder)
    enclosing.check(form)
    published = golden.version(version)
    moved = Moved.of(golden.drifted(version))
    sides = Sides() if Partition.TRAIN in wanted else None
    total = sum(published.counts.get(str(partition), 0) for partition in wanted)
    source = _Source(
        golden,
        published,
        vectors,
        moved,
        _by_row(golden.errata(version)),
        total,
        progress or _silent,
        Telling(published.version, enclosing, folder),
        sides,
    )
    counts = _write_folder(
        folder, form, wanted, source, cosine, lambda: _check(sides, source, wanted, cosine, pictures)
    )
    return Exported(version, folder, form, sum(counts.values()), counts)


def _by_row(errata: Sequence[Erratum]) -> dict[tuple[str, str], list[Erratum]]:
    found: dict[tuple[str, str], list[Erratum]] = {}
    for erratum in errata:
        found.setdefault((erratum.item_id, erratum.policy_id), []).append(erratum)
    return found


def _check(sides: Sides | None, source: _Source, read: Sequence[Partition], cosine: float, pictures: Pictures) -> None:
    """Refuse to hand out what was written when it leaks. What the export did not read is read here: the other
    partitions of the version, and what the golden set holds otherwise by now."""
    if sides is None:
        return
    for partition in EVALUATION:
        if partition not in read:
            for page in source.golden.columns(source.version.version, partition, COMPARED):
                sides.add(page, lesson=False)
    if source.moved.now:
        drifted = source.golden.drifted(source.version.version)
        for page in compared(item for item in drifted if item.partition in EVALUATION):
            sides.add(page, lesson=False)
    refuse_mixed(sides, source.vectors, cosine, pictures)


def training_rows(members: Sequence[GoldenItem], modality: str | None = TEXT) -> list[GoldenItem]:
    """Those of a version's members that a model of a modality (None: of any) may learn from; those that are stale now
    are for ``standing``."""
    mine = (m for m in members if m.partition is Partition.TRAIN and modality in (None, m.modality))
    return [m for m in mine if _usable(m)]


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
    known = item.state is GoldState.ACTIVE and item.outcome is not Outcome.CONTEXT_MISSING
    return known and text.has_content(item)


@dataclass(slots=True)
class _Source:
    """Where rows come from, and what is counted as they pass."""

    golden: GoldenReader
    version: GoldenVersion
    vectors: Vectors
    moved: Moved
    known_wrong: Mapping[tuple[str, str], list[Erratum]]
    total: int
    progress: Progress
    telling: Telling
    sides: Sides | None  # None: nothing is learnt from it
    tally: Tally = field(default_factory=Tally)
    unembedded: int = 0
    erased: int = 0
    stale: int = 0
    passed: int = 0
    errata: list[Erratum] = field(default_factory=list)

    def batches(self, partition: Partition) -> Iterator[pa.RecordBatch]:
        """The usable rows of a partition as they are exported, in manifest order."""
        for page in self.golden.columns(self.version.version, partition, EXPORTED):
            stands = self._standing(page)
            rows = page.filter(pc.and_(usable(page), stands))
            self.tally.add(rows)
            self.errata += self._errata(rows)
            if self.sides is not None:  # of the train partition those that leave, of the others all
                is_train = partition is Partition.TRAIN
                self.sides.add(rows if is_train else page, lesson=is_train)
            self._leave_out(page, stands)
            self.unembedded += self._unembedded(rows)
            yield from self.telling.batches(rows)
            self.passed += len(page)
            self.progress(self.passed, self.total)

    def _leave_out(self, page: pa.RecordBatch, stands: pa.BooleanArray) -> None:
        """Count what is not usable, each row under one reason."""
        gone = pc.or_(pc.equal(page["state"], GoldState.ERASED), pc.invert(has_content(page)))
        self.erased += gone.true_count
        self.stale += pc.and_not(pc.invert(stands), gone).true_count

    def _standing(self, page: pa.RecordBatch) -> pa.BooleanArray:
        """(n,) which rows hold now."""
        if not self.moved.now:
            return pa.repeat(pa.scalar(True), len(page))
        keys = zip(*(page[name].to_pylist() for name in ("item_id", "policy_id", "policy_version")), strict=True)
        return pa.array([self.moved.holds(*key) for key in keys], pa.bool_())

    def _errata(self, rows: pa.RecordBatch) -> Iterator[Erratum]:
        if self.known_wrong:
            for pair in zip(rows["item_id"].to_pylist(), rows["policy_id"].to_pylist(), strict=True):
                yield from self.known_wrong.get(pair, ())

    def _unembedded(self, rows: pa.RecordBatch) -> int:
        """Of texts: an image is compared by what it shows."""
        ids = rows["item_id"].filter(pc.equal(rows["modality"], TEXT)).to_pylist()
        there = self.vectors(ids)
        return sum(item_id not in there for item_id in ids)


def _write_folder(
    folder: Path, form: str, partitions: Sequence[Partition], source: _Source, cosine: float, check: Callable[[], None]
) -> dict[str, int]:
    """Write it all beside ``folder``, ``check`` it, then rename; rows by partition."""
    temporary = folder.with_name(f".{folder.name}.{uuid4().hex}")
    try:
        (temporary / "data").mkdir(parents=True)
        files = {}
        source.telling.folder = temporary
        for partition in partitions:
            path = f"data/{partition}.{SUFFIXES[form]}"
            WRITERS[form](temporary / path, source.batches(partition), source.telling)
            if source.tally.rows[partition]:
                files[str(partition)] = path
            else:
                (temporary / path).unlink(missing_ok=True)
        if not files:
            raise NothingToDo(f"golden version {source.version.version} holds no row in {', '.join(partitions)}")
        left_out = LeftOut(source.erased, source.stale)
        told = Contents(
            source.version,
            form,
            source.tally,
            files,
            cosine,
            source.unembedded,
            left_out,
            source.errata,
            source.telling.enclosing,
        )
        check()
        (temporary / "README.md").write_text(card(told), encoding="utf-8")
        _describe(temporary, told)
        _sync(temporary)
        _move(temporary, folder)
    except OSError as error:
        raise StoreError(
            f"{folder}: the export cannot be written: {error.strerror or error}; nothing is left"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return {partition: source.tally.rows[partition] for partition in files}


def _describe(folder: Path, contents: Contents) -> None:
    """Croissant metadata, which knows no Label Studio tasks."""
    if contents.form not in ENCODINGS:
        return
    files = {}
    for split, path in contents.files.items():
        with (folder / path).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        files[split] = DataFile(path, digest, (folder / path).stat().st_size)
    said = croissant(
        contents.version, contents.form, files, holes(contents), contents.tally.kinds(), contents.enclosing.how
    )
    (folder / FILE).write_text(json.dumps(said, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


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


def _write_parquet(path: Path, batches: Batches, telling: Telling) -> None:
    """What was read is written while the next rows are read."""
    opened = pq.ParquetWriter(path, telling.schema, compression="zstd")
    with opened as writer, ThreadPoolExecutor(1, "parquet") as pool:
        written = pool.submit(_silent, 0, 0)
        for batch in batches:
            written.result()
            written = pool.submit(writer.write_batch, batch)
        written.result()


def _write_jsonl(path: Path, batches: Batches, telling: Telling) -> None:  # noqa: ARG001 - as all writers
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for batch in batches:
            file.writelines(_json(row) + "\n" for row in batch.to_pylist())


def _write_csv(path: Path, batches: Batches, telling: Telling) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC)
        writer.writerow(telling.columns)
        for batch in batches:
            writer.writerows(cells(row) for row in batch.to_pylist())


def _write_tasks(path: Path, batches: Batches, telling: Telling) -> None:
    """A list of Label Studio tasks, one a line; those of images, which another form asks, in a file of their own."""
    with _Tasks(path) as texts, _Tasks(image_tasks(path)) as images:
        for batch in batches:
            for row in batch.to_pylist():
                (texts if row["modality"] == TEXT else images).add(_task(row, telling))


def image_tasks(path: Path) -> Path:
    """Where the tasks of images go, beside those of texts."""
    return path.with_name(f"{path.stem}-images{path.suffix}")


class _Tasks:
    """A JSON array that is written as it grows; without a task there is no file."""

    def __init__(self, path: Path) -> None:
        self._path, self._file, self._before = path, path.open("w", encoding="utf-8", newline="\n"), "[\n"

    def __enter__(self) -> _Tasks:
        return self

    def add(self, task: Row) -> None:
        self._file.write(self._before + _json(task))
        self._before = ",\n"

    def __exit__(self, *_: object) -> None:
        self._file.write("\n]\n")
        self._file.close()
        if self._before == "[\n":
            self._path.unlink()


def _task(row: Mapping[str, Any], telling: Telling) -> Row:
    answer = Answer(Outcome(LABELS[row["label"]]), row["rule"], row["severity"])
    data = {name: row[name] for name in IN_TASKS}
    if row["modality"] != TEXT:
        data |= {"text": row["text"] or NO_CAPTION, "content_sha256": row["content_sha256"]}
        data |= telling.links(row["item_id"])
    return {"data": data, "annotations": [{"result": build_result(answer), "ground_truth": True}]}


def _json(values: Row) -> str:
    return json.dumps(values, ensure_ascii=False, allow_nan=False)


WRITERS: dict[str, Callable[[Path, Batches, Telling], None]] = {
    "parquet": _write_parquet,
    "jsonl": _write_jsonl,
    "csv": _write_csv,
    "label-studio": _write_tasks,
}
SUFFIXES = {"parquet": "parquet", "jsonl": "jsonl", "csv": "csv", "label-studio": "json"}
FORMS = tuple(WRITERS)


def _silent(done: int, total: int) -> None:
    """No progress asked for."""
