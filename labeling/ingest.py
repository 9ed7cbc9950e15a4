"""Content through the door: rows checked as a whole, then written to the lake and registered in the ledger.

Two passes, so that memory stays flat and a batch with a bad row is refused whole: the first checks every row and
keeps one short hash of each, the second writes in chunks. A chunk goes to the lake first, then to the ledger; rows
that a crash left between the two (orphans) are swept before anything is written. One writer at a time.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from labeling.errors import DuplicateItem, InvalidInput, StoreError
from labeling.items import COLUMNS, Problem, parse_row
from labeling.readers import ColumnMap, Row, read_rows
from labeling.records import Item
from labeling.store.interfaces import ItemRegistry, Lake

CHUNK_ROWS = 10_000  # each chunk is one commit of the lake, which wants few and large ones
MAX_PROBLEMS = 50
LOCK_TIMEOUT_S = 120.0

Source = Path | Sequence[Mapping[str, object]]
_New = dict[bytes, tuple[int, bytes]]  # item key -> (row, content key)
IngestProgress = Callable[[str, int, int | None], None]  # (step, rows done, rows in all or None: not known yet)


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What one ingest did. ``read`` = ``added`` + ``already_there`` + ``repeated`` + ``stopped``.

    ``stopped``: left out, since somebody stopped the item, or the same content, for legal reasons.
    ``already_there``: known before, with the same content; ``repeated``: the same row again in this source;
    ``orphans_swept``: rows of an earlier run that was killed, removed from the lake before writing.
    With ``dry_run`` nothing was written and ``added`` says what would have been.
    """

    read: int
    added: int
    already_there: int
    repeated: int
    orphans_swept: int
    dry_run: bool
    stopped: int = 0


def ingest(
    source: Source,
    lake: Lake,
    registry: ItemRegistry,
    *,
    lock_path: Path,
    max_text_chars: int,
    policies: Collection[str],
    columns: ColumnMap | None = None,
    dry_run: bool = False,
    chunk_rows: int = CHUNK_ROWS,
    progress: IngestProgress | None = None,
) -> IngestReport:
    """Add the rows of a file, or of a list, that are not there yet; the same source again adds nothing.

    ``lock_path`` is a file on this machine that keeps a second writer of this lake waiting; ``policies`` the policy
    ids there are. Raises InvalidInput whose ``problems`` name the first 50 bad rows (DuplicateItem when all of them
    give a known ``external_id`` other content): nothing is written then. When a store fails midway (StoreError), or
    the file changes under the reader, the chunks written so far stay, whole, and a later run adds the rest.
    """
    job = _Job(source, max_text_chars, policies, columns or {}, chunk_rows, progress or _silent)
    checked = _check(job, registry)
    if dry_run:
        added, there = len(checked.new), checked.already_there
        return IngestReport(checked.read, added, there, checked.repeated, 0, dry_run, checked.stopped)
    with one_writer(lock_path):
        swept = sweep_orphans(lake, registry)
    added, stopped = _write(job, lake, registry, lock_path, checked.new)
    stopped += checked.stopped
    there = checked.read - checked.repeated - added - stopped  # with what another ingest added since the check
    return IngestReport(checked.read, added, there, checked.repeated, swept, dry_run, stopped)


def sweep_orphans(lake: Lake, registry: ItemRegistry) -> int:
    """Remove rows that a killed ingest left in the lake and not in the ledger; the caller is the one writer."""
    if lake.snapshot() <= registry.last_lake_version():
        return 0
    orphans = registry.unknown_ids(lake.ids())
    if orphans:
        lake.delete(orphans)
    return len(orphans)


@contextmanager
def one_writer(lock_path: Path, timeout_s: float = LOCK_TIMEOUT_S) -> Iterator[None]:
    """Hold the lock file; the system frees it when the process dies. Raises StoreError after ``timeout_s``."""
    try:
        lock_path.parent.mkdir(parents=True, exist_ok=True)
        file = lock_path.open("a")
    except OSError as error:
        raise StoreError(
            f"{lock_path}: cannot be written ({error.strerror}); free the disk or allow writing"
        ) from error
    with file:
        until = time.monotonic() + timeout_s
        while not _locked(file.fileno()):
            if time.monotonic() >= until:
                raise StoreError(f"{lock_path}: another ingest is writing; wait for it to end, then try again")
            time.sleep(0.05)
        yield


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class _Job:
    source: Source
    max_text_chars: int
    policies: Collection[str]
    columns: ColumnMap
    chunk_rows: int
    progress: IngestProgress

    @property
    def name(self) -> str:
        return str(self.source) if isinstance(self.source, Path) else "items"

    def chunks(self) -> Iterator[list[tuple[int, Item | list[Problem]]]]:
        """The source from its start: (row number, the item or what is wrong with it)."""
        rows = self._parsed()
        while chunk := list(islice(rows, self.chunk_rows)):
            yield chunk

    def _parsed(self) -> Iterator[tuple[int, Item | list[Problem]]]:
        for row in self._rows():
            if isinstance(row, Problem):
                yield row.row, [row]
            else:
                yield row.number, parse_row(row.values, row.number, self.max_text_chars, self.policies)

    def _rows(self) -> Iterator[Row | Problem]:
        if isinstance(self.source, Path):
            return read_rows(self.source, self.columns)
        return (Row(number, dict(row)) for number, row in enumerate(self.source, 1))


@dataclass(slots=True)
class _Checked:
    """What the first pass found. ``new``: the rows to add."""

    read: int = 0
    already_there: int = 0
    repeated: int = 0
    stopped: int = 0
    new: _New = field(default_factory=dict)


class _Problems:
    """The first problems in full, the others counted; an unknown column is told once, not for each row."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._kept: list[Problem] = []
        self._columns: set[str] = set()
        self._found = 0

    def add(self, problems: Iterable[Problem]) -> None:
        for problem in problems:
            if problem.field in self._columns:
                continue
            if problem.field and problem.field not in COLUMNS:
                self._columns.add(problem.field)
            self._found += 1
            if len(self._kept) < MAX_PROBLEMS:
                self._kept.append(problem)

    def refuse(self) -> None:
        """Raise what was found, if anything."""
        if not self._found:
            return
        count = "1 problem" if self._found == 1 else f"{self._found} problems"
        kind = DuplicateItem if all(problem.duplicate for problem in self._kept) else InvalidInput
        told = tuple(str(problem) for problem in self._kept)
        raise kind(f"{self._name}: {count}, refused; the first: {told[0]}", told)


def _check(job: _Job, registry: ItemRegistry) -> _Checked:
    """Read every row once and write nothing. Raises InvalidInput with the problems of all of them."""
    checked, problems = _Checked(), _Problems(job.name)
    for chunk in job.chunks():
        fresh: list[tuple[int, Item]] = []
        for row, made in chunk:
            if isinstance(made, Item):
                _note(row, made, checked, fresh, problems)
            else:
                problems.add(made)
        _compare(registry, fresh, checked, problems)
        checked.read += len(chunk)
        job.progress("checking", checked.read, None)
    if not checked.read:
        raise InvalidInput(f"{job.name}: holds no rows")
    problems.refuse()
    return checked


def _note(row: int, item: Item, checked: _Checked, fresh: list[tuple[int, Item]], problems: _Problems) -> None:
    """Hold a row against the rows of this source before it."""
    first_row, first_content = checked.new.setdefault(_key(item), (row, _content(item)))
    if first_row == row:
        fresh.append((row, item))
    elif first_content == _content(item):
        checked.repeated += 1
    else:
        problems.add([_duplicate(row, item, f"is in row {first_row} too")])


def _compare(registry: ItemRegistry, fresh: Sequence[tuple[int, Item]], checked: _Checked, problems: _Problems) -> None:
    """Hold rows against what is registered, and what was stopped."""
    known = registry.known([item.external_id for _, item in fresh])
    named, hashes = registry.stopped([i.external_id for _, i in fresh], [i.content_hash for _, i in fresh])
    for row, item in fresh:
        if item.external_id in named or item.content_hash in hashes:
            del checked.new[_key(item)]
            checked.stopped += 1
            continue
        there = known.get(item.external_id)
        if there is None:
            continue
        del checked.new[_key(item)]
        if there.content_hash == item.content_hash:
            checked.already_there += 1
        else:
            problems.add([_duplicate(row, item, "is there already")])


def _write(job: _Job, lake: Lake, registry: ItemRegistry, lock_path: Path, new: _New) -> tuple[int, int]:
    """Read the source again and write what is new, chunk by chunk; the rows added, and those stopped meanwhile."""
    done = added = stopped = 0
    pending: list[tuple[int, Item]] = []
    for chunk in job.chunks() if new else ():
        pending += [
            (row, made)
            for row, made in chunk
            if isinstance(made, Item) and new.get(_key(made)) == (row, _content(made))
        ]
        if len(pending) >= job.chunk_rows or done + len(pending) == len(new):
            with one_writer(lock_path):
                written = _commit(job.name, pending, lake, registry)
            added, stopped = added + written[0], stopped + written[1]
            done += len(pending)
            pending = []
            job.progress("writing", done, len(new))
    if done < len(new):
        raise InvalidInput(f"{job.name}: changed while it was read; {added} of its rows were added, ingest it again")
    return added, stopped


def _commit(name: str, rows: Sequence[tuple[int, Item]], lake: Lake, registry: ItemRegistry) -> tuple[int, int]:
    """Lake, then ledger; what another ingest registered since the check is left alone."""
    checked, problems = _Checked(new={_key(item): (row, _content(item)) for row, item in rows}), _Problems(name)
    _compare(registry, rows, checked, problems)
    problems.refuse()
    items = [item for _, item in rows if _key(item) in checked.new]
    if items:
        registry.register(items, lake.append(items))
    return len(items), checked.stopped


def _duplicate(row: int, item: Item, where: str) -> Problem:
    message = f"{item.external_id!a} {where}, with other content; items never change, so use another id"
    return Problem(row, "external_id", message, duplicate=True)


def _key(item: Item) -> bytes:
    return bytes.fromhex(item.item_id.removeprefix("it_"))


def _content(item: Item) -> bytes:
    return bytes.fromhex(item.content_hash)[:16]


def _silent(step: str, done: int, total: int | None) -> None:
    """No progress wanted."""
