"""What partitions cost: loading a golden set's groups, placing one item, and proving that an export leaks nothing.

Made texts and embeddings of 384 numbers, one row in twenty a copy of another that is worded or spaced otherwise. The
leak check stands beside a comparison of all embeddings with all, by numpy, timed on 4,000 rows and scaled by the
square; that peer looks at no text. One thread; CPU seconds of this process, MiB by which its peak rose. Run it alone:
``python -m benchmarks.partitions 100000``.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from benchmarks.row import Row, hardware
from labeling.golden.leaks import EVALUATION, find_leaks
from labeling.golden.partition import Groups
from labeling.golden.text import content_hash
from labeling.golden.vectors import F32
from labeling.records import GoldenItem, GoldState, How, Outcome, Partition, Tier

NAMES = ("partition_leaks", "partition_load", "partition_place")
ITEMS = 100_000
D = 384
COPIES = 20  # one row in so many is a copy of the one before
_AT = datetime(2026, 1, 1, tzinfo=UTC)


class Rows:
    """Embeddings by item number, held as the lake holds them."""

    def __init__(self, n: int) -> None:
        rng = np.random.default_rng(0)
        self.held = np.empty((n, D), np.float16)
        for start in range(0, n, 50_000):
            part = rng.standard_normal((min(50_000, n - start), D)).astype(np.float32)
            part[COPIES - 1 :: COPIES] = part[COPIES - 2 :: COPIES][: len(part[COPIES - 1 :: COPIES])] + 0.05
            self.held[start : start + len(part)] = part / np.linalg.norm(part, axis=1, keepdims=True)

    def __call__(self, item_ids: Sequence[str]) -> dict[str, F32]:
        rows = self.held[[int(item_id) for item_id in item_ids]].astype(np.float32)
        return dict(zip(item_ids, rows, strict=True))


def texts(n: int) -> list[str]:
    """``n`` texts of 5 to 25 made words."""
    rng = np.random.default_rng(1)
    words = ["".join(chr(97 + c) for c in rng.integers(0, 26, size)) for size in rng.integers(2, 9, 20_000)]
    drawn = rng.zipf(1.3, (n, 25)) % len(words)
    lengths = rng.integers(5, 26, n)
    made = [" ".join(words[w] for w in row[:length]) for row, length in zip(drawn, lengths, strict=True)]
    for place in range(COPIES - 1, n, COPIES):
        made[place] = made[place - 1].upper().replace(" ", "  ")
    return made


def gold(n: int) -> list[GoldenItem]:
    """``n`` rows, as yet in groups of their own in the partition train."""
    return [
        GoldenItem(
            item_id=str(row),
            external_id=str(row),
            policy_id="p",
            policy_version="1.0.0",
            text=text,
            content_hash=content_hash(text),
            language="en",
            outcome=Outcome.ALLOWED,
            rule=None,
            severity=None,
            how=How.UNANIMOUS,
            votes={"allowed": 2},
            tier=Tier.GOLDEN,
            state=GoldState.ACTIVE,
            partition=Partition.TRAIN,
            group_id=f"g{row - (row % COPIES == COPIES - 1)}",
            round_id="r",
            lane="random",
            pi=0.1,
            adjudication_id=str(row),
            folded_at=_AT,
        )
        for row, text in enumerate(texts(n))
    ]


def measure(n: int, placed: int = 100) -> dict[str, float]:
    """CPU seconds and MiB for a golden set of ``n`` rows."""
    vectors, rows = Rows(n + placed), gold(n)
    before, start = _peak(), time.process_time()
    groups = Groups(rows, vectors)
    loaded = time.process_time() - start
    memory, start = _peak() - before, time.process_time()
    for number, text in enumerate(texts(placed)):
        where = groups.place(str(n + number), text)
        groups.accept(str(n + number), text, where)
    each = (time.process_time() - start) / placed
    del groups
    for row in rows:
        object.__setattr__(row, "partition", _drawn(row.group_id))
    training = [row for row in rows if row.partition is Partition.TRAIN]
    exams = [row for row in rows if row.partition in EVALUATION]
    before, start = _peak(), time.process_time()
    found = find_leaks(training, exams, vectors)
    checked = time.process_time() - start
    return {
        "rows": n,
        "load_cpu_s": loaded,
        "load_mib": memory,
        "place_cpu_ms": each * 1000,
        "leaks_cpu_s": checked,
        "leaks_mib": _peak() - before,
        "leaks": len(found),
        "all_with_all_cpu_s": _all_with_all(vectors.held, len(training), len(exams)),
    }


def rows(n: int = ITEMS) -> list[Row]:
    """The figures of ``n`` golden rows."""
    found, peer = measure(n), "numpy, all embeddings with all"
    ratio = found["all_with_all_cpu_s"] / found["leaks_cpu_s"]
    on = hardware()
    return [
        Row(NAMES[0], found["leaks_cpu_s"], "CPU s", peer, found["all_with_all_cpu_s"], ratio, hardware=on),
        Row(NAMES[1], found["load_cpu_s"], "CPU s", hardware=on),
        Row(NAMES[2], found["place_cpu_ms"], "CPU ms an item", hardware=on),
    ]


def _drawn(group_id: str) -> Partition:
    return Partition.TRAIN if int(content_hash(group_id)[:4], 16) % 10 < 6 else Partition.SEALED


def _all_with_all(held: np.ndarray[tuple[int, ...], np.dtype[np.float16]], training: int, exams: int) -> float:
    some = held[:4000].astype(np.float32)
    start = time.process_time()
    (some @ some.T >= 0.95).any()
    return (time.process_time() - start) * training * exams / len(some) ** 2


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    for size in map(int, sys.argv[1:] or ["100000"]):
        print({name: round(value, 2) for name, value in measure(size).items()})
