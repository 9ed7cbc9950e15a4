"""What a scorer is: texts in, per-policy probabilities and embeddings out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Progress = Callable[[int, int], None]  # (items done, items in all)


@dataclass(frozen=True, slots=True)
class Failure:
    """One item that could not be scored, and why, in words its sender can act on."""

    item_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of n items under k policies, row i belonging to ``ids[i]``; items that failed have no row.

    ``probabilities`` (n, k) float32 in [0, 1]: P(item violates policy j); columns as in ``policies``.
    ``embeddings`` (n, d) float16, L2-normalised rows.
    """

    ids: tuple[str, ...]
    policies: tuple[str, ...]
    probabilities: npt.NDArray[np.float32]
    embeddings: npt.NDArray[np.float16]
    failures: tuple[Failure, ...] = ()


class Scorer(Protocol):
    """A model pinned by ``name`` and ``version`` (a hash of its weights and settings)."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def policies(self) -> tuple[str, ...]: ...

    def score(self, ids: Sequence[str], texts: Sequence[str], progress: Progress | None = None) -> Scores:
        """Score texts in any order and number; the rows come back in the order of ``ids`` (failed ones left out).

        A score depends on its own text only, not on its batch. Raises ValueError when ids and texts differ in
        length or an id comes twice.
        """
