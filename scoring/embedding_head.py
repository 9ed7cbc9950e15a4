"""The default scorer: a sentence encoder with a head on top."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from scoring.base import Progress, Scores
from scoring.embeddings import Embeddings, Encoder
from scoring.errors import ModelRefused
from scoring.head import Head
from scoring.model_files import VERSION_LENGTH


def head_scorer_version(encoder_version: str, head_version: str) -> str:
    """What names an encoder with that head on it."""
    return hashlib.sha256(f"{encoder_version} {head_version}".encode()).hexdigest()[:VERSION_LENGTH]


class EmbeddingHead:
    """A ``Scorer`` whose costly half, the embeddings, can be kept: a new head over kept ones costs no encoding.

    Probabilities come from the float16 embeddings that are returned, so scoring a text and scoring its kept
    embedding agree to the last bit. Not so for a text that was read in windows: its probability is the highest of
    its windows' own, its embedding their mean. Such an item carries a note, and is scored again from its text.
    """

    def __init__(self, encoder: Encoder, head: Head) -> None:
        """Raises ModelRefused when the head was made for another encoder."""
        if head.encoder_version != encoder.version or head.dimension != encoder.dimension:
            raise ModelRefused(
                f"the head was made for encoder {head.encoder_version} ({head.dimension} dimensions), "
                f"not for {encoder.name} {encoder.version} ({encoder.dimension} dimensions)"
            )
        self.encoder = encoder
        self.head = head
        self.name = f"{encoder.name} + head"
        self.policies = head.policies
        self.embedding_version = encoder.version
        self.version = head_scorer_version(encoder.version, head.version)

    def score(self, ids: Sequence[str], texts: Sequence[str], progress: Progress | None = None) -> Scores:
        """As ``Scorer.score``."""
        return self._judge(self.encoder.encode(ids, texts, progress))

    def score_embeddings(self, ids: Sequence[str], embeddings: npt.NDArray[np.floating[Any]]) -> Scores:
        """Score kept ``embeddings`` (n, d), row i belonging to ``ids[i]``. Raises ValueError when they do not fit."""
        if len(ids) != len(embeddings):
            raise ValueError(f"{len(ids)} ids but {len(embeddings)} embeddings")
        if len(set(ids)) != len(ids):
            raise ValueError("an id comes more than once")
        return self._judge(Embeddings(tuple(ids), embeddings.astype(np.float16, copy=False)))

    def _judge(self, found: Embeddings) -> Scores:
        probabilities = self.head.probabilities(found.vectors)
        for row, windows in found.windows.items():
            probabilities[row] = self.head.probabilities(windows).max(axis=0)
        return Scores(
            ids=found.ids,
            policies=self.policies,
            probabilities=probabilities,
            embeddings=found.vectors,
            failures=found.failures,
            notes=found.notes,
        )
