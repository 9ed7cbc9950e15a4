"""A day of trends over 1 M items: CPU seconds and peak memory, beside reading the same columns and embeddings once.

The items are made: 35 days, 64 topics, 10 markets, 384 dimensions; the lake is real.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.process import forget_peak, in_own_process, peak_mib, timed
from benchmarks.row import Row, hardware
from labeling.insights.trends import trends
from labeling.records import Item
from labeling.store.lake import LanceLake
from labeling.store.ledger import open_ledger

ITEMS, DAYS, TOPICS, MARKETS, DIMENSION = 1_000_000, 35, 64, 10, 384
BLOCK, TIGHT = 50_000, 8
START = date(2026, 1, 5)
SECONDS, MEMORY = "trends_day_1m_cpu", "trends_day_1m_memory"
NAMES = (SECONDS, MEMORY)


@dataclass(frozen=True, slots=True)
class Unscoring:
    """A scorer that has scored nothing: severity is then unknown, all else is as it would be."""

    name: str = "none"
    version: str = "none"
    embedding_version: str = "bench"
    policies: tuple[str, ...] = ()


def rows(items: int = ITEMS) -> list[Row]:
    """CPU seconds and MiB of ``labeling.insights.trends`` on a filled lake."""
    with tempfile.TemporaryDirectory() as folder:
        in_own_process(partial(_fill, folder, items))
        read_s, _ = in_own_process(partial(_read, folder))
        cpu_s, memory, tested = in_own_process(partial(_judge, folder))
    on = f"{hardware()}; {items} items in {DAYS} days, {tested:.0f} cells and themes tested; clusters fitted in the run"
    return [
        Row(SECONDS, cpu_s, "CPU s", "reading the columns and embeddings once", read_s, read_s / cpu_s, "", on),
        Row(MEMORY, memory, "MiB above start", hardware=on),
    ]


def _fill(folder: str, items: int) -> tuple[float, ...]:
    rng = np.random.default_rng(0)
    lake = LanceLake(f"{folder}/lake")
    centres = rng.normal(size=(TOPICS, DIMENSION)).astype(np.float32)
    start = datetime.combine(START, datetime.min.time(), UTC)
    for first in range(0, items, BLOCK):
        n = min(BLOCK, items - first)
        minutes, market = rng.integers(0, DAYS * 1440, n), rng.integers(0, MARKETS, n)
        ids = [f"i{first + k:07}" for k in range(n)]
        lake.append(
            [
                Item(i, i, f"text {i}", i, market=f"m{m}", views=10, created_at=start + timedelta(minutes=int(t)))
                for i, m, t in zip(ids, market, minutes, strict=True)
            ]
        )
        noise = rng.standard_normal((n, DIMENSION), dtype=np.float32)
        topic = rng.integers(0, TOPICS, n)
        noise[topic < TIGHT] *= 0.4  # some topics are one text over and over: these are proposed as themes
        flat = pa.array((centres[topic] + noise).astype(np.float16).ravel())
        column = {"embedding": pa.FixedSizeListArray.from_arrays(flat, DIMENSION)}
        lake.add_columns("embeddings-bench", ids, column)
    return (float(lake.count()),)


def _read(folder: str) -> tuple[float, ...]:
    lake = LanceLake(f"{folder}/lake")

    def work() -> None:
        for columns, group in ((["created_at", "market", "views"], "items"), (["embedding"], "embeddings-bench")):
            for batch in lake.scan(columns, group):
                batch.validate()

    return timed(work)


def _judge(folder: str) -> tuple[float, ...]:
    lake, ledger = LanceLake(f"{folder}/lake"), open_ledger(f"sqlite:///{folder}/ledger.db")
    tested = 0

    def work() -> None:
        nonlocal tested
        day = START + timedelta(days=DAYS - 1)
        found = trends(ledger, lake, {}, Unscoring(), Path(folder) / "trends", day)  # type: ignore[arg-type]
        tested = found.cells + found.themes

    forget_peak()
    before = peak_mib()
    cpu_s, _ = timed(work)
    ledger.close()
    return cpu_s, peak_mib() - before, float(tested)
