"""An encoder that needs no weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scoring.base import Failure, Progress
from scoring.embeddings import Embeddings


class WordEncoder:
    """Each word has its own random direction; a text is their mean. Empty texts fail."""

    name = "words"
    version = "words-1"
    dimension = 256

    def encode(self, ids: Sequence[str], texts: Sequence[str], progress: Progress | None = None) -> Embeddings:
        good = [i for i, text in enumerate(texts) if text.strip()]
        vectors = np.array([self._vector(texts[i]) for i in good]).reshape(len(good), self.dimension)
        failures = tuple(Failure(ids[i], "the text is empty") for i in range(len(ids)) if i not in good)
        return Embeddings(tuple(ids[i] for i in good), vectors.astype(np.float16), failures)

    def _vector(self, text: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        words = [
            np.random.default_rng(list(word.encode())).normal(size=self.dimension) for word in text.lower().split()
        ]
        total = np.sum(words, axis=0)
        return np.asarray(total / np.linalg.norm(total))
