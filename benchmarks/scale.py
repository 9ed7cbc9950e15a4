"""A round over 100,000, 1,000,000 and, when asked, 10,000,000 items whose embeddings lie in a file: how time and
memory grow, and what of the exact top the shortlist holds.

``BENCH_SCALE=10000000 make bench ONLY=scale`` adds the ten million: 7.7 GB of disk and some minutes more.
Vectors are made: 100,000 unit rows without clusters, and the same with their columns rolled. Ids, probabilities and
words are in memory, as the lake gives them; of the embeddings a round reads the rows of its shortlist. The page cache
holds them after they were written, so the disk's own speed is not measured. A size runs in a process of its own.
"""

from __future__ import annotations

import gc
import os
import re
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.process import in_own_process, timed
from benchmarks.row import Row, hardware
from selection.blocks import blocks_of
from selection.hashing import item_hashes
from selection.select import select
from selection.sift import sift
from selection.types import Lane, Plan, Pool
from selection.uncertainty import logit

DIMENSIONS, POLICIES, PICKS = 384, 4, 1_000
SIZES = {"100k": 100_000, "1m": 1_000_000}
LARGEST = "10m", 10_000_000
MADE = 100_000  # rows that are drawn
VARIABLE = "BENCH_SCALE"
_KINDS = ("auto", "memory", "recall", "with_risk")


def _sizes() -> dict[str, int]:
    name, items = LARGEST
    return {**SIZES, name: items} if int(os.environ.get(VARIABLE, "0")) >= items else SIZES


NAMES = tuple(f"scale_{kind}_{size}" for size in _sizes() for kind in _KINDS)


def rows() -> list[Row]:
    """Per size: the seconds of a round of ``auto`` with a random share, its peak of memory that belongs to no file, the
    share of the exact top on the shortlist, and the seconds of a round with the lane risk too."""
    found: list[Row] = []
    for size, items in _sizes().items():
        cpu_s, wall_s, mib, recall, shortlist, risk_cpu_s, risk_s = in_own_process(partial(measure, items))
        told = f"{hardware()}; {items:,} x {DIMENSIONS} float16 in a file, {POLICIES} policies, {PICKS:,} picks"
        third = "<= 30 s" if items == LARGEST[1] else "<= 10 s"
        found += [
            Row(f"scale_auto_{size}", wall_s, "s", target=third, hardware=f"{told}; {cpu_s:.1f} CPU s"),
            Row(f"scale_memory_{size}", mib, "MiB above the pool, pages of files left out", hardware=told),
            Row(
                f"scale_recall_{size}",
                recall,
                f"of the exact top of each list on a shortlist of {shortlist:,.0f}",
                target=">= .99",
                hardware=told,
            ),
            Row(f"scale_with_risk_{size}", risk_s, "s", hardware=f"{told}; {risk_cpu_s:.1f} CPU s"),
        ]
    return found


def measure(items: int) -> tuple[float, ...]:
    """CPU s, wall s and peak MiB of a round; recall and rows of its shortlist; CPU s and wall s with the lane risk."""
    with tempfile.TemporaryDirectory() as folder:
        pool = made_pool(items, Path(folder) / "embeddings.f16")
        plain = plan_of(pool, (Lane("random", 0.1), Lane("uncertain", 0.9, "auto")))
        mixed = plan_of(pool, (Lane("random", 0.1), Lane("risk", 0.3), Lane("uncertain", 0.6, "auto")))
        mib, (cpu_s, wall_s) = anonymous_peak(lambda: timed(lambda: select(pool, plain)))
        again_cpu_s, again_s = timed(lambda: select(pool, plain))
        recall, shortlist = recall_of(pool, plain)
        risk_cpu_s, risk_s = timed(lambda: select(pool, mixed))
        return min(cpu_s, again_cpu_s), min(wall_s, again_s), mib, recall, shortlist, risk_cpu_s, risk_s


def made_pool(items: int, path: Path) -> Pool:
    """``items`` of which none are near-duplicates, as the lake's index told; their embeddings in a file."""
    rng = np.random.default_rng(0)
    vectors = np.memmap(path, np.float16, "w+", shape=(items, DIMENSIONS))
    block = rng.standard_normal((MADE, DIMENSIONS), dtype=np.float32)
    block /= np.linalg.norm(block, axis=1, keepdims=True)
    for turn, start in enumerate(range(0, items, MADE)):
        part = vectors[start : start + MADE]
        part[:] = np.roll(block, turn, axis=1)[: len(part)]
    vectors.flush()
    return Pool(
        ids=tuple(f"item-{row:08d}" for row in rng.permutation(items).tolist()),
        policies=tuple(f"policy-{column}" for column in range(POLICIES)),
        probabilities=rng.beta(0.3, 4.0, (items, POLICIES)).astype(np.float32),
        embeddings=np.memmap(path, np.float16, "r", shape=(items, DIMENSIONS)),
        eligible=np.ones((items, POLICIES), dtype=np.bool_),
        languages=tuple(map(("en", "pt", "und").__getitem__, rng.integers(0, 3, items).tolist())),
        groups=np.arange(items, dtype=np.int64),
    )


def plan_of(pool: Pool, lanes: tuple[Lane, ...]) -> Plan:
    """A plan with one threshold and one severity for all policies."""
    return Plan(PICKS, 1, lanes, dict.fromkeys(pool.policies, 0.5), dict.fromkeys(pool.policies, 1.0))


def recall_of(pool: Pool, plan: Plan) -> tuple[float, float]:
    """Of the 20 items a pick that are nearest each policy's boundary, found by sorting all, the share that stage one
    keeps; and how many rows it keeps."""
    hashes = item_hashes(pool.ids)
    short = set(sift(lambda: blocks_of(pool, hashes), plan, pool.policies).pool.ids)
    asked, held = 0, 0
    for column, policy in enumerate(pool.policies):
        tau = float(logit(np.array([plan.thresholds[policy]]))[0])
        away = np.abs(logit(pool.probabilities[:, column].astype(np.float64)) - tau)
        exact = np.argsort(away, kind="stable")[: 20 * plan.budget]
        asked += len(exact)
        held += sum(pool.ids[row] in short for row in exact.tolist())
    return held / asked, len(short)


def anonymous_peak(work: Callable[[], tuple[float, float]]) -> tuple[float, tuple[float, float]]:
    """MiB of the most memory of this process that no file backs, above what it held before; and what ``work`` told."""
    gc.collect()
    before, highest, stop = _anonymous_mib(), [0.0], threading.Event()

    def watch() -> None:
        while not stop.is_set():
            highest[0] = max(highest[0], _anonymous_mib())
            time.sleep(0.05)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        told = work()
    finally:
        stop.set()
        watcher.join()
    return highest[0] - before, told


def _anonymous_mib() -> float:
    """Linux. Raises OSError where the system does not tell."""
    found = re.search(r"^Anonymous:\s+(\d+) kB", Path("/proc/self/smaps_rollup").read_text("ascii"), re.MULTILINE)
    if found is None:
        raise OSError("memory that no file backs is read from /proc/self/smaps_rollup, which does not tell it here")
    return int(found.group(1)) / 1024


if __name__ == "__main__":
    for row in rows():
        print(row)
