"""Embeddings as plain arrays, and what makes them; free of torch, so that anyone may hold or fake them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from scoring.base import Failure, Note, Progress

F16 = npt.NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class Embeddings:
    """``vectors`` (n, d) float16, L2-normalised, row i belonging to ``ids[i]``; items that failed have no row.

    ``notes``: what a vector does not say by itself. ``windows``: for a row whose text was read in w windows, their
    own (w, d) vectors, of which the row's is the mean made a unit vector.
    """

    ids: tuple[str, ...]
    vectors: F16
    failures: tuple[Failure, ...] = ()
    notes: tuple[Note, ...] = ()
    windows: Mapping[int, F16] = field(default_factory=dict)


class Encoder(Protocol):
    """Texts to vectors; ``version`` is a hash of the weights and of everything else that shapes a vector."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def dimension(self) -> int: ...

    def encode(self, ids: Sequence[str], texts: Sequence[str], progress: Progress | None = None) -> Embeddings:
        """Rows in the order of ``ids``. Raises ValueError when ids and texts differ in length or an id comes twice."""
