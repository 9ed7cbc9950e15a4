"""A golden version of many rows: what writing it for a trainer takes, its leak check included, and comparing it with
the next one, of which one row in fifty differs.

``GOLDFOLD_BENCH_GOLDEN_ROWS`` sets another number of rows. The peer writes as many rows of the same columns with
``datasets``, from memory and with nothing checked.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import datasets

from benchmarks.process import forget_peak, in_own_process, peak_mib, timed
from benchmarks.row import Row, hardware
from labeling.golden.diff import diff
from labeling.golden.export import export
from labeling.golden.features import row
from labeling.golden.text import content_hash
from labeling.records import GoldenItem, GoldenVersion, GoldState, How, Outcome, Partition, Tier
from labeling.store.ledger import open_ledger

NAMES = ("golden_export", "golden_export_memory", "golden_diff", "golden_diff_memory")
ROWS = 300_000  # the most that was measured; the target is about a million
VERSION, NEXT = "1.0.0", "1.1.0"
PARTS = (Partition.TRAIN,) * 6 + (Partition.DEV,) * 2 + (Partition.CALIBRATION, Partition.SEALED)
WORDS = 30  # a text
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def rows() -> list[Row]:
    """One run in processes of its own."""
    count = int(os.environ.get("GOLDFOLD_BENCH_GOLDEN_ROWS", ROWS))
    said = f"{hardware()}; {count:,} rows"
    with tempfile.TemporaryDirectory(prefix="goldfold-golden-") as name:
        os.environ["GOLDFOLD_BENCH_GOLDEN_FOLDER"] = name
        in_own_process(fill)
        cpu, wall, peak, written = in_own_process(measure)
        peer_cpu, peer_wall, peer_peak = in_own_process(measure_peer)
        diff_cpu, diff_wall, diff_peak, changed = in_own_process(measure_diff)
    compared = f"{count:,} rows with as many, {changed:,.0f} differ"
    return [
        Row("golden_diff", diff_wall, f"s for {compared}, {diff_cpu:.0f} CPU s", hardware=said),
        Row("golden_diff_memory", diff_peak, f"MiB above the start for {compared}", hardware=said),
        Row(
            "golden_export",
            wall,
            f"s for {written:,.0f} rows, {cpu:.0f} CPU s",
            "datasets, rows in memory, nothing checked",
            peer_wall,
            peer_cpu / cpu,
            target="a million rows in <= 60 s",
            hardware=said,
        ),
        Row(
            "golden_export_memory",
            peak,
            "MiB above the start",
            "datasets",
            peer_peak,
            peer_peak / peak,
            target="a million rows in <= 1024 MiB",
            hardware=said,
        ),
    ]


def fill() -> tuple[float, ...]:
    """Put a version into a ledger; how many rows."""
    folder = Path(os.environ["GOLDFOLD_BENCH_GOLDEN_FOLDER"])
    count = int(os.environ.get("GOLDFOLD_BENCH_GOLDEN_ROWS", ROWS))
    counts = {str(part): sum(PARTS[n % len(PARTS)] is part for n in range(count)) for part in set(PARTS)}
    ledger = open_ledger(f"sqlite:///{folder / 'ledger.db'}")
    version = GoldenVersion(VERSION, None, "0" * 64, str(folder / "none"), counts, NOW)
    ledger.golden.add_version(version, made(count))
    corrected = replace(version, version=NEXT, parent=VERSION)
    ledger.golden.add_version(corrected, (turned(item, n) for n, item in enumerate(made(count))))
    ledger.close()
    return (float(count),)


def measure() -> tuple[float, ...]:
    """CPU s, wall s, peak MiB and rows of an export of everything that may leave."""
    folder = Path(os.environ["GOLDFOLD_BENCH_GOLDEN_FOLDER"])
    ledger = open_ledger(f"sqlite:///{folder / 'ledger.db'}")
    forget_peak()
    before, written = peak_mib(), [0]

    def work() -> None:
        written[0] = export(ledger.golden, VERSION, folder / "out", partitions=["train", "dev", "calibration"]).rows

    cpu, wall = timed(work)
    ledger.close()
    return cpu, wall, peak_mib() - before, float(written[0])


def measure_diff() -> tuple[float, ...]:
    """CPU s, wall s, peak MiB and rows that differ."""
    folder = Path(os.environ["GOLDFOLD_BENCH_GOLDEN_FOLDER"])
    ledger = open_ledger(f"sqlite:///{folder / 'ledger.db'}")
    forget_peak()
    before, changed = peak_mib(), [0]

    def work() -> None:
        changed[0] = diff(ledger.golden, VERSION, NEXT, 50).changed

    cpu, wall = timed(work)
    ledger.close()
    return cpu, wall, peak_mib() - before, float(changed[0])


def turned(item: GoldenItem, n: int) -> GoldenItem:
    """One row in fifty with the other answer."""
    if n % 50:
        return item
    if item.outcome is Outcome.ALLOWED:
        return replace(item, outcome=Outcome.VIOLATES, rule="rule-1", severity=2)
    return replace(item, outcome=Outcome.ALLOWED, rule=None, severity=None)


def measure_peer() -> tuple[float, ...]:
    """CPU s, wall s and peak MiB of writing as many rows."""
    folder = Path(os.environ["GOLDFOLD_BENCH_GOLDEN_FOLDER"])
    count = int(os.environ.get("GOLDFOLD_BENCH_GOLDEN_ROWS", ROWS)) * 9 // 10
    forget_peak()
    before = peak_mib()

    def work() -> None:
        given = made(count)
        first = [row(item, VERSION) for item in islice(given, 1)]
        columns = {name: [value] for name, value in first[0].items()}
        for item in given:
            for name, value in row(item, VERSION).items():
                columns[name].append(value)
        datasets.Dataset.from_dict(columns).to_parquet(folder / "peer.parquet")

    cpu, wall = timed(work)
    return cpu, wall, peak_mib() - before


def made(count: int) -> Iterator[GoldenItem]:
    """Rows that are like real ones in size and kind; no two texts are alike."""
    for n in range(count):
        text = " ".join(f"w{(n * k * 7919 + k) % 1_000_003}" for k in range(1, WORDS + 1))
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
