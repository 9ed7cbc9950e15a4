"""A trained head over what the image scorer sees: the champion of images on top of the scorer of the settings."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from labeling.media_scorer import MediaScorer
from scoring.base import Progress, Scores
from scoring.calibration import Calibrator
from scoring.errors import ModelRefused
from scoring.head import Head
from scoring.model_files import VERSION_LENGTH


class HeadOnImages:
    """A ``MediaScorer`` of images: the head judges the policies that it knows by the scorer's embeddings, of an
    animation the mean of its frames; policies that it never learned stay those of the scorer."""

    modality = "image"

    def __init__(self, scorer: MediaScorer, head: Head, calibrator: Calibrator | None = None) -> None:
        """``calibrator``: its maps of the head's policies. Raises ModelRefused when the head was made for another
        scorer's embeddings."""
        if head.encoder_version != scorer.embedding_version:
            raise ModelRefused(
                f"the head was made for embeddings {head.encoder_version}, and {scorer.name} makes "
                f"{scorer.embedding_version}: set image_scorer back, or train a head on what it sees"
            )
        self._scorer, self._head, self._calibrator = scorer, head, calibrator
        self.name = f"{scorer.name} + head"
        self.embedding_version = scorer.embedding_version
        self.policies = tuple(dict.fromkeys([*scorer.policies, *head.policies]))
        laid_on = calibrator.version if calibrator is not None else ""
        made_of = f"{scorer.version} {head.version} {laid_on} {' '.join(self.policies)}"
        self.version = hashlib.sha256(made_of.encode()).hexdigest()[:VERSION_LENGTH]

    def score_media(
        self, ids: Sequence[str], media: Sequence[str], texts: Sequence[str], progress: Progress | None = None
    ) -> Scores:
        """As ``MediaScorer.score_media``; what the scorer found beside scores is handed on."""
        seen = self._scorer.score_media(ids, media, texts, progress)
        probabilities = np.zeros((len(seen.ids), len(self.policies)), np.float32)
        probabilities[:, : len(self._scorer.policies)] = seen.probabilities
        if len(seen.ids):
            judged = self._head.probabilities(seen.embeddings)
            if self._calibrator is not None:
                judged = self._calibrator.apply(self._head.policies, judged)
            probabilities[:, [self.policies.index(policy) for policy in self._head.policies]] = judged
        return replace(seen, policies=self.policies, probabilities=probabilities)
