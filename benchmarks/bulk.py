"""Bulk scoring of a million texts through the lake: does memory stay flat, and what do the stores cost?

The model is a tiny one, made here with random weights, so that a million texts take minutes: memory does not depend on
what a forward pass costs. ``GOLDFOLD_BENCH_BULK_ITEMS`` sets another number of texts.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import numpy as np
from transformers import BertConfig

from benchmarks.made_models import made_words, write_bert
from benchmarks.process import forget_peak, in_own_process, peak_mib
from benchmarks.row import Row, hardware
from labeling.items import item_id_of
from labeling.records import Item
from labeling.score_run import ScoreRun
from labeling.store.lake import LanceLake
from scoring.embedding_head import EmbeddingHead
from scoring.encoder import SentenceEncoder
from scoring.prototypes import prototype_head

NAMES = ("bulk_peak_memory", "bulk_memory_growth", "bulk_rate")
ITEMS = 1_000_000
APPEND = 20_000  # texts a commit
CHUNK = 8_192  # texts a scoring step, as the score job takes them from a large lake
COMPACT_CHUNKS = 32
WORDS = 12  # a text
TINY = BertConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64)


def rows() -> list[Row]:
    """One run in a process of its own."""
    items, peak, first_half, seconds, alone_seconds = in_own_process(measure)
    said = f"{hardware()}; {items:,.0f} texts, a model of one layer"
    growth = peak - first_half
    return [
        Row("bulk_peak_memory", peak, "MiB above the model", target="<= 1024 MiB", hardware=said),
        Row("bulk_memory_growth", growth, "MiB from the first half to the second", target="flat", hardware=said),
        Row(
            "bulk_rate",
            items / seconds,
            "texts/s",
            "the scorer alone, texts in memory",
            items / alone_seconds,
            alone_seconds / seconds,
            hardware=said,
        ),
    ]


def measure() -> tuple[float, ...]:
    """Texts, peak MiB above the loaded model, the same of the first half, wall s in all, and wall s that the scorer
    alone takes for as many texts: measured before and after, since other work slows this machine at times."""
    items = int(os.environ.get("GOLDFOLD_BENCH_BULK_ITEMS", ITEMS))
    with tempfile.TemporaryDirectory() as folder:
        words = made_words(np.random.default_rng(0))
        write_bert(Path(folder) / "model", TINY, words)
        lake = _filled(Path(folder) / "lake", items, words)
        scorer = _scorer(Path(folder) / "model")
        scorer.score(["warm up"], ["a text to load everything with"])
        alone = [_alone_s(scorer, words)]
        forget_peak()
        before, halves, seconds = peak_mib(), list[float](), 0.0
        for most in (items // 2, items - items // 2):
            started = time.perf_counter()
            _score(lake, scorer, most)
            seconds += time.perf_counter() - started
            halves.append(peak_mib() - before)
        alone.append(_alone_s(scorer, words))
        return items, halves[1], halves[0], seconds, items * sum(alone) / len(alone)


def _scorer(folder: Path) -> EmbeddingHead:
    """The default kind of scorer, on a tiny encoder."""
    encoder = SentenceEncoder(folder, device="cpu", batch_tokens=8192)
    return EmbeddingHead(encoder, prototype_head(encoder, {"a": "content about one harm", "b": "about another"}))


def _alone_s(scorer: EmbeddingHead, words: list[str]) -> float:
    """Wall s a text that the scorer takes for texts in memory, while nothing else runs here."""
    texts = _texts(np.random.default_rng(2), 4 * CHUNK, words)
    started = time.perf_counter()
    for start in range(0, len(texts), CHUNK):
        scorer.score([f"text-{i}" for i in range(CHUNK)], texts[start : start + CHUNK])
    return (time.perf_counter() - started) / len(texts)


def _score(lake: LanceLake, scorer: EmbeddingHead, most: int) -> None:
    run, done = ScoreRun(lake, scorer, CHUNK), 0
    while done < most:
        upto = run.chunks + COMPACT_CHUNKS
        told = run.go(most=most - done, until=lambda: run.chunks >= upto)  # noqa: B023 - asked in this turn only
        done += told.scored + told.failed
        lake.compact()


def _filled(folder: Path, items: int, words: list[str]) -> LanceLake:
    lake, rng = LanceLake(folder), np.random.default_rng(1)
    for start in range(0, items, APPEND):
        texts = _texts(rng, min(APPEND, items - start), words)
        lake.append([_item(f"post-{start + i}", text) for i, text in enumerate(texts)])
    return lake


def _texts(rng: np.random.Generator, count: int, words: list[str]) -> list[str]:
    return [" ".join(row) for row in rng.choice(words, (count, WORDS))]


def _item(external_id: str, text: str) -> Item:
    return Item(item_id=item_id_of(external_id), external_id=external_id, text=text, content_hash=item_id_of(text))
