"""A scorer whose probabilities are calibrated."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from scoring.base import Progress, Scorer, Scores
from scoring.calibration import Calibrator
from scoring.model_files import VERSION_LENGTH


@runtime_checkable
class KeptScorer(Scorer, Protocol):
    """A scorer that can also work from embeddings kept earlier."""

    def score_embeddings(self, ids: Sequence[str], embeddings: npt.NDArray[np.floating[Any]]) -> Scores: ...


def calibrated_version(scorer_version: str, calibration_version: str) -> str:
    """What names a scorer under that calibration."""
    return hashlib.sha256(f"calibrated {scorer_version} {calibration_version}".encode()).hexdigest()[:VERSION_LENGTH]


class CalibratedScorer:
    """``scorer`` with its probabilities mapped by ``calibrator``; embeddings, failures and notes are the scorer's own.

    Its version follows both, so calibrated scores are kept apart from raw ones; ``embedding_version`` is the scorer's,
    so embeddings are shared. Where one is a committee's, its members' own opinions stay raw.
    ``calibrated`` makes one that can also score kept embeddings, where the scorer can.
    """

    def __init__(self, scorer: Scorer, calibrator: Calibrator) -> None:
        """Raises ValueError when the calibrator has a map for a policy that the scorer does not judge."""
        if strange := sorted(set(calibrator.policies) - set(scorer.policies)):
            raise ValueError(f"the calibrator maps {', '.join(strange)}, which {scorer.name} does not judge")
        self.scorer: Scorer = scorer
        self.calibrator = calibrator
        self.name = f"{scorer.name}, calibrated"
        self.policies = scorer.policies
        self.embedding_version = str(getattr(scorer, "embedding_version", scorer.version))
        self.version = calibrated_version(scorer.version, calibrator.version)

    @property
    def parts(self) -> tuple[Scorer, ...]:
        """The scorers that it is made of."""
        return (self.scorer,)

    def score(self, ids: Sequence[str], texts: Sequence[str], progress: Progress | None = None) -> Scores:
        """As ``Scorer.score``."""
        return self._mapped(self.scorer.score(ids, texts, progress))

    def _mapped(self, scores: Scores) -> Scores:
        return replace(scores, probabilities=self.calibrator.apply(scores.policies, scores.probabilities))


class CalibratedKeptScorer(CalibratedScorer):
    """As ``CalibratedScorer``, over a scorer that can score kept embeddings."""

    def __init__(self, scorer: KeptScorer, calibrator: Calibrator) -> None:
        super().__init__(scorer, calibrator)
        self._kept = scorer

    def score_embeddings(self, ids: Sequence[str], embeddings: npt.NDArray[np.floating[Any]]) -> Scores:
        """Score kept ``embeddings`` (n, d), row i belonging to ``ids[i]``. Raises ValueError when they do not fit."""
        return self._mapped(self._kept.score_embeddings(ids, embeddings))


def calibrated(scorer: Scorer, calibrator: Calibrator) -> CalibratedScorer:
    """``scorer`` calibrated; able to score kept embeddings exactly when ``scorer`` is."""
    if isinstance(scorer, KeptScorer):
        return CalibratedKeptScorer(scorer, calibrator)
    return CalibratedScorer(scorer, calibrator)
