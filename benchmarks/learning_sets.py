"""The real labelled sets of the learning curves, as a replay wants them: where the folder in GOLDFOLD_DATA_DIR (else
``../shared/data`` beside the repository) has them.

Embeddings: the default encoder, frozen, in bfloat16; kept under build/, so that they are made once a machine.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from scoring.encoder import SentenceEncoder
from selection.duplicates import near_duplicate_groups
from selection.replay import LabelledSet

KEPT = Path("build/learning")
COSINE = 0.95  # from which two texts are near-duplicates, as in the service
THIN = 0.01  # share of hate in the thinned tweets
TWEETS = ("hate", "offensive", "neither")
HATEFUL = ("hateful", "non-hateful")

F32 = npt.NDArray[np.float32]
Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Source:
    """A set: its file, its reading, the share of blocks that judges, and up to how many labels strategies are replayed:
    ``long_labels`` to see when they get there, ``labels`` where only areas count. Random goes on to the whole pool."""

    file: str
    read: Callable[[list[Record], F32], LabelledSet]
    held_out: float
    long_labels: int
    labels: int


def folder() -> Path:
    """Where the sets are looked for."""
    named = os.environ.get("GOLDFOLD_DATA_DIR")
    return Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"


def missing() -> list[str]:
    """The files that are not there."""
    return sorted({source.file for source in SOURCES.values() if not (folder() / source.file).is_file()})


def load(name: str) -> LabelledSet:
    """One of ``SOURCES``."""
    source = SOURCES[name]
    with gzip.open(folder() / source.file, "rt", encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines]
    return source.read(records, embeddings([str(record["text"]) for record in records]))


def embeddings(texts: list[str]) -> F32:
    """(n, d) unit rows, from ``KEPT`` when the same encoder has made them for the same texts before."""
    encoder = SentenceEncoder(device="cpu", long_text="cut", cpu_precision="bfloat16")
    digest = hashlib.sha256(json.dumps([encoder.version, *texts]).encode()).hexdigest()[:16]
    path = KEPT / f"embeddings-{digest}.npy"
    if not path.is_file():
        found = encoder.encode([str(i) for i in range(len(texts))], texts)
        if found.failures:
            raise ValueError(f"text {found.failures[0].item_id} cannot be embedded: {found.failures[0].reason}")
        KEPT.mkdir(parents=True, exist_ok=True)
        aside = path.with_suffix(f".{os.getpid()}.npy")
        np.save(aside, found.vectors, allow_pickle=False)
        aside.replace(path)
    return np.asarray(np.load(path, allow_pickle=False), dtype=np.float32)


def tweets(records: list[Record], vectors: F32) -> LabelledSet:
    """Three classes that exclude each other; hate is the rarest."""
    answers = np.array([[record["label"] == name for name in TWEETS] for record in records], np.float32)
    groups = near_duplicate_groups(vectors, COSINE)
    return LabelledSet(TWEETS, vectors, answers, groups, groups, exclusive=True)


def thin_tweets(records: list[Record], vectors: F32) -> LabelledSet:
    """The tweets with so much hate left, by a fixed chance, that it is ``THIN`` of all, pool and test alike."""
    hate = np.array([record["label"] == TWEETS[0] for record in records])
    rest = np.flatnonzero(~hate)
    left = np.random.default_rng(0).choice(np.flatnonzero(hate), round(len(rest) * THIN / (1 - THIN)), replace=False)
    rows = np.sort(np.concatenate([rest, left]))
    return tweets([records[row] for row in rows], np.ascontiguousarray(vectors[rows]))


def moderation(records: list[Record], vectors: F32) -> LabelledSet:
    """Eight policies, many answers unknown."""
    policies = tuple(sorted({name for record in records for name in record["labels"]}))
    answers = np.array([[record["labels"].get(name, np.nan) for name in policies] for record in records], np.float32)
    known = ~np.isnan(answers).all(axis=1)
    groups = near_duplicate_groups(np.ascontiguousarray(vectors[known]), COSINE)
    return LabelledSet(policies, np.ascontiguousarray(vectors[known]), answers[known], groups, groups)


def hatecheck(records: list[Record], vectors: F32) -> LabelledSet:
    """Two classes; whole functionalities judge, so that the test asks for what no label has shown."""
    answers = np.array([[record["label"] == name for name in HATEFUL] for record in records], np.float32)
    kinds = np.unique([record["functionality"] for record in records], return_inverse=True)[1].astype(np.int64)
    alike = near_duplicate_groups(vectors, COSINE)
    pairs = np.unique(np.stack([kinds, alike], axis=1), axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)
    return LabelledSet(HATEFUL, vectors, answers, pairs, kinds, exclusive=True)


SOURCES = {
    "tweets": Source("tweets.jsonl.gz", tweets, 0.5, 4000, 2000),
    "tweets_1pct": Source("tweets.jsonl.gz", thin_tweets, 0.5, 4000, 2000),
    "moderation": Source("moderation.jsonl.gz", moderation, 0.3, 2000, 1000),
    "hatecheck": Source("hatecheck.jsonl.gz", hatecheck, 0.3, 2000, 1000),
}
