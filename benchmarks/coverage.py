"""Coverage of a lake of 1 M texts beside 50,000 golden ones: CPU seconds and peak memory of the whole answer, and the
rate of its dearest step, the nearest golden text of each, beside FAISS' flat index and plain numpy.

The texts are made: 64 topics, 384 dimensions, half of the topics without gold; the lake and the ledger are real. The
answer looks at a sample of 200,000, as the service does. ``GOLDFOLD_BENCH_COVERAGE_TEXTS`` sets another number of
texts, a twentieth of which is gold.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from benchmarks.golden import batched, made
from benchmarks.process import forget_peak, in_own_process, peak_mib, timed
from benchmarks.row import Row, hardware
from labeling.insights.coverage import Asked, coverage
from labeling.policies import Policy, Rule
from labeling.quality.coverage import nearest
from labeling.records import Item
from labeling.scorebook import keep
from labeling.store.database import Database
from labeling.store.lake import LanceLake
from labeling.store.ledger import open_ledger
from labeling.store.tables import golden_items
from scoring.base import Scores
from selection.diversity import one_thread

TEXTS, SHARE, TOPICS, DIMENSION, BLOCK = 1_000_000, 20, 64, 384, 50_000
PEER_TEXTS = 8192  # whose nearest gold all three look for
SECONDS, MEMORY, FLAT, PLAIN = "coverage_1m_cpu", "coverage_1m_memory", "coverage_nearest", "coverage_nearest_numpy"
NAMES = (SECONDS, MEMORY, FLAT, PLAIN)
RULE = Rule(id="general", title="General", definition="Anything.")
POLICY = Policy(id="harm", title="Harm", version="1.0.0", definition="Harm.", severity=2, threshold=0.5, rules=(RULE,))
F32 = npt.NDArray[np.float32]
Figures = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """What coverage needs of a scorer: the names of what it wrote."""

    name: str = "bench"
    version: str = "bench"
    embedding_version: str = "bench"
    policies: tuple[str, ...] = (POLICY.id,)


def rows() -> list[Row]:
    """One run each, in processes of their own."""
    texts = int(os.environ.get("GOLDFOLD_BENCH_COVERAGE_TEXTS", TEXTS))
    gold = texts // SHARE
    with tempfile.TemporaryDirectory(prefix="goldfold-coverage-") as folder:
        in_own_process(partial(_fill, folder, texts, gold))
        cpu_s, wall_s, memory, near = in_own_process(partial(_answer, folder))
    ours, index, plain = in_own_process(partial(_nearest, gold))
    on = f"{hardware()}; {texts:,} texts, {gold:,} golden; {near:.3f} near gold"
    step = f"{hardware()}; {PEER_TEXTS:,} texts, {gold:,} golden, {DIMENSION} dimensions"
    return [
        Row(SECONDS, cpu_s, f"CPU s ({wall_s:.0f} s wall)", hardware=on),
        Row(MEMORY, memory, "MiB above start", hardware=on),
        Row(FLAT, ours, "texts/CPU s", "FAISS IndexFlatIP", index, ours / index, hardware=step),
        Row(PLAIN, ours, "texts/CPU s", "numpy, one product of all", plain, ours / plain, hardware=step),
    ]


def _centres() -> F32:
    return np.random.default_rng(0).standard_normal((TOPICS, DIMENSION), dtype=np.float32)


def _vectors(seed: int, topics: npt.NDArray[np.int64]) -> F32:
    """Unit rows about their topics, at a cosine of about .75."""
    noise = np.random.default_rng([seed, 1]).standard_normal((len(topics), DIMENSION), dtype=np.float32)
    found = _centres()[topics] + 0.9 * noise
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), np.float32)


def _fill(folder: str, texts: int, gold: int) -> Figures:
    """The first texts are golden, and these are of the first half of the topics."""
    lake, ledger = LanceLake(f"{folder}/lake"), open_ledger(_url(folder))
    for first in range(0, texts, BLOCK):
        numbers = np.arange(first, min(first + BLOCK, texts))
        ids = [f"item-{n:08}" for n in numbers]
        items = [Item(i, f"post-{n}", f"text {n}", f"hash-{n}") for i, n in zip(ids, numbers, strict=True)]
        ledger.items.register(items, lake.append(items))
        random = np.random.default_rng(first)
        topics = random.integers(0, np.where(numbers < gold, TOPICS // 2, TOPICS))
        chances = random.random((len(ids), 1), np.float32)
        vectors = _vectors(first, topics).astype(np.float16)
        keep(lake.add_columns, Judged(), Scores(tuple(ids), Judged().policies, chances, vectors), embeddings=True)
    ledger.close()
    with Database(_url(folder)).write() as connection:
        for part in batched(made(gold)):
            golden = [replace(one, policy_id=POLICY.id) for one in part]
            values = [{column.name: getattr(one, column.name) for column in golden_items.c} for one in golden]
            connection.execute(sa.insert(golden_items), values)
    return (float(texts),)


def _url(folder: str) -> str:
    return f"sqlite:///{folder}/ledger.db"


def _answer(folder: str) -> Figures:
    """CPU s, wall s, MiB and the share near gold of one answer."""
    lake, ledger = LanceLake(f"{folder}/lake"), open_ledger(_url(folder))
    told: list[dict[str, Any]] = []

    def work() -> None:
        told.append(coverage(ledger, lake, Judged(), {POLICY.id: POLICY}, Asked()))

    forget_peak()
    before = peak_mib()
    cpu_s, wall_s = timed(work)
    ledger.close()
    return cpu_s, wall_s, peak_mib() - before, float(told[0]["near"]["value"])


def _nearest(gold: int) -> Figures:
    """Texts a CPU second: ours, FAISS and numpy, the median of three each. Raises ValueError where they differ."""
    random = np.random.default_rng(7)
    known, asked = (_vectors(n, random.integers(0, TOPICS, n)) for n in (gold, PEER_TEXTS))
    index = faiss.IndexFlatIP(DIMENSION)
    index.add(known)
    ways: list[Callable[[], F32]] = [
        lambda: nearest(asked, known),
        lambda: index.search(asked, 1)[0][:, 0],
        lambda: (asked @ known.T).max(axis=1),
    ]
    found = [way() for way in ways]
    if not all(np.allclose(found[0], other, atol=1e-4) for other in found[1:]):
        raise ValueError("the three ways find other cosines")
    with one_thread():
        return tuple(PEER_TEXTS / float(np.median([timed(way)[0] for _ in range(3)])) for way in ways)
