"""Models that several test modules share, made once a session."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from scoring.encoder import SentenceEncoder
from tests.realdata import real_set
from tests.scoring.tiny import write_model


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Threads that wait for each other on a busy machine cost more than they bring to inputs this small."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def minilm() -> SentenceEncoder:
    """The default encoder with its real weights."""
    return SentenceEncoder(device="cpu")


@dataclass(frozen=True, slots=True)
class Prompts:
    """Real moderation prompts: harm labels and embeddings, row by row."""

    labels: list[dict[str, int]]
    vectors: npt.NDArray[np.float16]

    def of(self, harm: str) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float16]]:
        """Labels (n) and embeddings (n, d) of the rows where this harm was judged."""
        known = [i for i, labels in enumerate(self.labels) if harm in labels]
        return np.array([self.labels[i][harm] for i in known], np.float32), self.vectors[known]


@pytest.fixture(scope="session")
def prompts(minilm: SentenceEncoder) -> Prompts:
    """The shorter ones, to keep the suite quick."""
    with gzip.open(real_set("moderation.jsonl.gz"), "rt", encoding="utf-8") as lines:
        rows = [row for row in map(json.loads, lines) if len(row["text"]) < 200]
    found = minilm.encode([row["external_id"] for row in rows], [row["text"] for row in rows])
    return Prompts([row["labels"] for row in rows], found.vectors)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of tiny classifiers with random weights, by kind."""
    root = tmp_path_factory.mktemp("tiny")
    return {kind: write_model(root / kind, kind) for kind in ("bert", "roberta", "distilbert")}
