"""A golden version of a million rows: what writing it for a trainer takes, its leak check by texts included, what
comparing it with the next one takes, of which one row in fifty differs, and what checking every hash of it, of the
golden set and of its event chain does.

``GOLDFOLD_BENCH_GOLDEN_ROWS`` sets another number of rows. Two peers write as many rows of the same columns from
memory, 100,000 to a file, with nothing read and nothing checked: ``datasets``, and pyarrow alone. A third reads both
versions out of the same file with ``sqlite3`` and compares tuples. Each runs in a process of its own, and a peak is all
of that process.
"""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from hashlib import shake_128
from itertools import islice
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from benchmarks.process import forget_peak, in_own_process, peak_mib, timed
from benchmarks.row import Row, hardware
from labeling.golden import manifest, merkle
from labeling.golden.audit import check
from labeling.golden.chain import START, Head, event_hash, row_hash
from labeling.golden.columns import page_of_items
from labeling.golden.diff import diff
from labeling.golden.export import export
from labeling.golden.features import SCHEMA, told
from labeling.golden.text import content_hash
from labeling.golden_records import GoldEvent
from labeling.records import GoldAction, GoldenItem, GoldenVersion, GoldState, How, Outcome, Partition, Tier
from labeling.store.database import Database
from labeling.store.gold_chain import HEAD
from labeling.store.ledger import SqlLedger, open_ledger
from labeling.store.rows import dump_json
from labeling.store.tables import gold_events, gold_head, golden_items, golden_members

NAMES = ("golden_export", "golden_export_memory", "golden_diff", "golden_diff_memory", "golden_verify")
ROWS = 1_000_000
PART = 100_000  # rows that a peer writes at a time
CHANGED = 50  # one row in so many differs in the next version
VERSION, NEXT = "1.0.0", "1.1.0"
PARTS = (Partition.TRAIN,) * 6 + (Partition.DEV,) * 2 + (Partition.CALIBRATION, Partition.SEALED)
WORDS, LETTERS = 30, 6  # a text, and a word of it but for its first
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ITEM = tuple(golden_items.c.keys())
EVENT = tuple(column.name for column in gold_events.c if column.name != "seq")
Figures = tuple[float, ...]


def rows() -> list[Row]:
    """One run in processes of its own."""
    count = int(os.environ.get("GOLDFOLD_BENCH_GOLDEN_ROWS", ROWS))
    with tempfile.TemporaryDirectory(prefix="goldfold-golden-") as name:
        os.environ["GOLDFOLD_BENCH_GOLDEN_FOLDER"] = name
        in_own_process(fill)
        exported = in_own_process(measure)
        peers = [in_own_process(measure_peer), in_own_process(measure_arrow)]
        compared = [in_own_process(measure_diff), in_own_process(measure_diff_peer)]
        verified = in_own_process(measure_verify)
    return [*_exported(count, exported, peers), *_compared(count, compared), _verified(count, verified)]


def _exported(count: int, ours: Figures, peers: Sequence[Figures]) -> list[Row]:
    said, (cpu, wall, peak, written) = f"{hardware()}; {count:,} rows", ours
    (cpu_of, wall_of, peak_of), arrow = peers
    peer = f"datasets, rows in memory, nothing checked (pyarrow alone: {arrow[0]:.0f} CPU s, {arrow[2]:.0f} MiB)"
    unit, target = f"s for {written:,.0f} rows, {cpu:.0f} CPU s", "a million rows in <= 60 s"
    memory = "a million rows in <= 1024 MiB"
    return [
        Row(NAMES[0], wall, unit, peer, wall_of, cpu_of / cpu, target=target, hardware=said),
        Row(
            NAMES[1],
            peak,
            "MiB, peak of the process",
            "datasets, 100,000 rows at a time",
            peak_of,
            peak_of / peak,
            memory,
            said,
        ),
    ]


def _compared(count: int, both: Sequence[Figures]) -> list[Row]:
    (cpu, wall, peak, changed), (cpu_of, wall_of, peak_of, _) = both
    said, peer = f"{hardware()}; {count:,} rows with as many, {changed:,.0f} differ", "sqlite3 and a set of tuples"
    return [
        Row(NAMES[2], wall, f"s, {cpu:.0f} CPU s", peer, wall_of, cpu_of / cpu, hardware=said),
        Row(NAMES[3], peak, "MiB, peak of the process", peer, peak_of, peak_of / peak, hardware=said),
    ]


def _verified(count: int, ours: Figures) -> Row:
    cpu, wall, peak, seen = ours
    unit = f"s, {cpu:.0f} CPU s, peak {peak:.0f} MiB, for {seen:,.0f} rows of a version and as many events and items"
    return Row(NAMES[4], wall, unit, hardware=f"{hardware()}; {count:,} rows")


def fill() -> tuple[float, ...]:
    """Make a ledger with a golden set, its event chain, a version of it with its manifest, and the version after;
    how many rows."""
    folder = Path(os.environ["GOLDFOLD_BENCH_GOLDEN_FOLDER"])
    count = int(os.environ.get("GOLDFOLD_BENCH_GOLDEN_ROWS", ROWS))
    counts = {str(part): sum(PARTS[n % len(PARTS)] is part for n in range(count)) for part in set(PARTS)}
    ledger, last, tree = open_ledger(_url()), START, merkle.Tree()
    with closing(sqlite3.connect(folder / "ledger.db")) as plain, (folder / "rows").open("w") as file:
        plain.execute("PRAGMA synchronous = OFF")
        for part in batched(made(count)):
            events = list(folded(part, last))
            last = (events[-1].number, events[-1].sha256)
            insert(plain, golden_items, [[plainly(item, name) for name in ITEM] for item in part])
            insert(plain, gold_events, [[plainly(event, name) for name in EVENT] for event in events])
            for text in manifest.rows(part):
                tree.add(manifest.leaf(text))
                file.write(manifest.line(text) + "\n")
        insert(plain, gold_head, [[HEAD, *last]])
        plain.commit()
    root, path = tree.root().hex(), folder / "manifest.jsonl"
    with path.open("w", encoding="ascii") as file, (folder / "rows").open(encoding="ascii") as written:
        file.write(manifest.head(root, count) + "\n")
        file.writelines(written)
    version = GoldenVersion(VERSION, None, root, str(path), counts, NOW)
    ledger.golden.add_version(version, ())
    ledger.golden.add_version(replace(version, version=NEXT, parent=VERSION), ())
    ledger.close()
    with Database(_url()).write() as connection:
        for each in (VERSION, NEXT):
            frozen = sa.select(sa.literal(each), *golden_items.c)
            into = sa.insert(golden_members).from_select(["version", *golden_items.c.keys()], frozen)
            connection.execute(into)
        number = sa.cast(sa.func.substr(golden_members.c.item_id, len("item-") + 1), sa.Integer)
        other = sa.case((golden_members.c.outcome == "allowed", "violates"), else_="allowed")
        where = sa.and_(golden_members.c.version == NEXT, number % CHANGED == 0)
        connection.execute(sa.update(golden_members).where(where).values(outcome=other))
    return (float(count),)


def insert(plain: sqlite3.Connection, table: sa.Table, rows: list[list[object]]) -> None:
    """Rows of all columns but ``seq``, in order; SQLAlchemy would take longer than all that is measured here."""
    names = [column.name for column in table.c if column.name != "seq"]
    plain.executemany(str(sa.insert(table).compile(dialect=sqlite.dialect(), column_keys=names)), rows)


def plainly(record: object, name: str) -> object:
    """A field as SQLite holds it."""
    value = getattr(record, name)
    if isinstance(value, dict):
        return json.dumps(value)
    return value.strftime("%Y-%m-%d %H:%M:%S.%f") if isinstance(value, datetime) else value


def folded(items: list[GoldenItem], last: Head) -> Iterator[GoldEvent]:
    """The events by which these rows came, after the event ``last``."""
    for item in items:
        told = dump_json(item)
        bare = GoldEvent(
            number=last[0] + 1,
            item_id=item.item_id,
            policy_id=item.policy_id,
            action=GoldAction.FOLDED,
            actor="unanimous",
            reason="unanimous answers of 2 people",
            at=NOW,
            adjudication_id=None,
            row=told,
            row_sha256=row_hash(told),
            previous=last[1],
            sha256="",
        )
        event = replace(bare, sha256=event_hash(bare))
        last = (event.number, event.sha256)
        yield event


def batched(items: Iterator[GoldenItem]) -> Iterator[list[GoldenItem]]:
    """Lists of 5,000."""
    while part := list(islice(items, 5000)):
        yield part


def _url() -> str:
    return f"sqlite:///{_folder() / 'ledger.db'}"


def measure() -> Figures:
    """CPU s, wall s, peak MiB and rows of an export of everything that may leave."""
    folder, ledger = _folder(), open_ledger(_url())
    wanted = ["train", "dev", "calibration"]
    return _measured(ledger, lambda: export(ledger.golden, VERSION, folder / "out", partitions=wanted).rows)


def measure_diff() -> Figures:
    """CPU s, wall s, peak MiB and rows that differ."""
    ledger = open_ledger(_url())
    return _measured(ledger, lambda: diff(ledger.golden, VERSION, NEXT, 50).changed)


def measure_verify() -> Figures:
    """CPU s, wall s, peak MiB and rows of a version that were checked."""
    ledger = open_ledger(_url())
    return _measured(ledger, lambda: check(ledger.golden, VERSION).rows)


def _measured(ledger: SqlLedger, work: Callable[[], int]) -> Figures:
    forget_peak()
    done: list[int] = []
    cpu, wall = timed(lambda: done.append(work()))
    ledger.close()
    return cpu, wall, peak_mib(), float(done[0])


def measure_diff_peer() -> Figures:
    """As ``measure_diff``, of nothing but plain tuples."""
    query = "SELECT * FROM golden_members WHERE version = ?"
    found = [0]

    def work() -> None:
        with closing(sqlite3.connect(_folder() / "ledger.db")) as connection:
            before = {row[1:] for row in connection.execute(query, (VERSION,))}
            found[0] = sum(row[1:] not in before for row in connection.execute(query, (NEXT,)))

    forget_peak()
    cpu, wall = timed(work)
    return cpu, wall, peak_mib(), float(found[0])


def measure_peer() -> Figures:
    """CPU s, wall s and peak MiB of writing as many rows with ``datasets``; making them is not timed."""
    return _written(lambda columns, path: datasets.Dataset.from_dict(columns).to_parquet(path))


def measure_arrow() -> Figures:
    """As ``measure_peer``, with pyarrow."""
    return _written(lambda columns, path: pq.write_table(pa.table(columns, schema=SCHEMA), path, compression="zstd"))


def _written(write: Callable[[dict[str, list[object]], Path], object]) -> Figures:
    forget_peak()
    spent = [
        timed(partial(write, columns, _folder() / f"peer-{number}.parquet"))
        for number, columns in enumerate(_columns())
    ]
    return sum(cpu for cpu, _ in spent), sum(wall for _, wall in spent), peak_mib()


def _columns() -> Iterator[dict[str, list[object]]]:
    """The rows that are exported, ``PART`` at a time: all of them at once take more than 3 GiB."""
    given = made(int(os.environ.get("GOLDFOLD_BENCH_GOLDEN_ROWS", ROWS)) * 9 // 10)
    while part := list(islice(given, PART)):
        yield told(page_of_items(part), VERSION).to_pydict()


def _folder() -> Path:
    return Path(os.environ["GOLDFOLD_BENCH_GOLDEN_FOLDER"])


def made(count: int) -> Iterator[GoldenItem]:
    """Rows that are like real ones in size and kind; no two texts are alike."""
    for n in range(count):
        drawn = shake_128(str(n).encode()).hexdigest(WORDS * LETTERS // 2)
        text = " ".join(f"w{drawn[k : k + LETTERS]}" for k in range(0, WORDS * LETTERS, LETTERS))
        violates = n % 5 == 0
        yield GoldenItem(
            item_id=f"item-{n:08}",
            external_id=f"post-{n}",
            policy_id=f"policy-{n % 3}",
            policy_version="1.0.0",
            text=text,
            content_hash=content_hash(text),
            language=("en", "de", "und")[n % 3],
            outcome=Outcome.VIOLATES if violates else Outcome.ALLOWED,
            rule="rule-1" if violates else None,
            severity=2 if violates else None,
            how=How.UNANIMOUS,
            votes={"violates/rule-1": 2} if violates else {"allowed": 2 if n % 7 else 1},
            tier=Tier.GOLDEN,
            state=GoldState.ACTIVE,
            partition=PARTS[n % len(PARTS)],
            group_id=f"group-{n:08}",
            round_id="round-1",
            lane="random" if n % 2 else "uncertain",
            pi=0.01 if n % 2 else None,
            adjudication_id=f"decision-{n:08}",
            folded_at=NOW,
        )


if __name__ == "__main__":
    for each in rows():
        print(each)
