"""A scorer that hashes words: quick, deterministic and free of torch, for tests of what happens around a scorer."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from scoring.base import Progress, Scores

DIMENSION = 32


class WordScorer:
    """Embeds a text as the normalised sum of its words' hash vectors; each policy looks in its own direction."""

    name = "words"
    version = "words-1"
    embedding_version = "words"

    def __init__(self, policies: tuple[str, ...]) -> None:
        self.policies = policies

    def score(self, ids: Sequence[str], texts: Sequence[str], progress: Progress | None = None) -> Scores:
        embeddings = np.stack([_unit(sum_of_words(text)) for text in texts]).astype(np.float16)
        if progress is not None:
            progress(len(ids), len(ids))
        return self.score_embeddings(ids, embeddings)

    def score_embeddings(self, ids: Sequence[str], embeddings: npt.NDArray[np.float16]) -> Scores:
        directions = np.stack([_unit(_vector(policy)) for policy in self.policies])
        logits = 6 * embeddings.astype(np.float64) @ directions.T
        return Scores(tuple(ids), self.policies, (1 / (1 + np.exp(-logits))).astype(np.float32), embeddings)


def sum_of_words(text: str) -> npt.NDArray[np.float64]:
    """The sum of a text's word vectors."""
    total: npt.NDArray[np.float64] = np.sum([_vector(word) for word in text.lower().split()], axis=0)
    return total


def _vector(word: str) -> npt.NDArray[np.float64]:
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big")
    return np.random.default_rng(seed).standard_normal(DIMENSION)


def _unit(vector: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return vector / np.linalg.norm(vector)
