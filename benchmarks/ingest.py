"""Rows a second through the door, beside the floor: the lake's own format written with nothing checked or registered.

Made-up rows of the shape of a tweet set: 24,783 of them, 5 to 30 words each, with language, market and views.
"""

from __future__ import annotations

import json
import random
import tempfile
import time
from pathlib import Path

import lance
import pyarrow as pa

from benchmarks.row import Row
from labeling.ingest import ingest
from labeling.store.lake import LanceLake
from labeling.store.ledger import open_ledger

NAMES = ("ingest_rows_per_s", "ingest_again_rows_per_s")
ROWS = 24_783
REPEATS = 3
_WORDS = (
    "the",
    "rain",
    "coffee",
    "never",
    "again",
    "@someone",
    "lol",
    "match",
    "tonight",
    "#goals",
    "http://a.example/x",
)


def rows() -> list[Row]:
    """The best of three runs each, from a JSONL file on the disk: the first time, and the same file again."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in _content()), encoding="utf-8")
        runs = [_ingest_twice(path, Path(folder) / f"run-{n}") for n in range(REPEATS)]
        floor = min(_write_alone(path, Path(folder) / f"floor-{n}.lance") for n in range(REPEATS))
    first, again = min(run[0] for run in runs), min(run[1] for run in runs)
    peer = "json and lance.write_dataset alone"
    return [
        Row("ingest_rows_per_s", ROWS / first, "rows/s", peer, ROWS / floor, floor / first, ">= 5,000 rows/s"),
        Row("ingest_again_rows_per_s", ROWS / again, "rows/s", peer, ROWS / floor, floor / again, ">= 10,000 rows/s"),
    ]


def _content() -> list[dict[str, object]]:
    rng = random.Random(7)  # noqa: S311 - made-up text, no secret
    return [
        {
            "external_id": f"row-{number}",
            "text": f"{' '.join(rng.choices(_WORDS, k=rng.randint(5, 30)))} {number}",
            "language": "en",
            "market": rng.choice(("US", "GB", "IN")),
            "views": rng.randrange(100_000),
        }
        for number in range(ROWS)
    ]


def _ingest_twice(path: Path, folder: Path) -> tuple[float, float]:
    """Seconds of the first ingest into empty stores, and of the second one, which finds everything there."""
    folder.mkdir()
    ledger = open_ledger(f"sqlite:///{folder}/ledger.db")
    lake = LanceLake(folder / "lake")
    seconds = []
    for expected in (ROWS, 0):
        began = time.perf_counter()
        report = ingest(path, lake, ledger.items, lock_path=folder / "lock", max_text_chars=20_000, policies=("spam",))
        seconds.append(time.perf_counter() - began)
        if report.added != expected:
            raise ValueError(f"ingest added {report.added} rows, expected {expected}")
    ledger.close()
    return seconds[0], seconds[1]


def _write_alone(path: Path, to: Path) -> float:
    began = time.perf_counter()
    with path.open(encoding="utf-8") as file:
        table = pa.Table.from_pylist([json.loads(line) for line in file])
    lance.write_dataset(table, str(to))
    return time.perf_counter() - began
