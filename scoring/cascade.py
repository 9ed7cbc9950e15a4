"""A cascade: a first stage clears what is far below every threshold, the full scorer judges the rest and a trickle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scoring.base import Failure, Note, Progress, Scorer, Scores
from scoring.clearing import Bool, Clearing
from scoring.errors import ModelRefused
from scoring.first_stage import F32, FirstStage
from scoring.model_files import VERSION_LENGTH


@dataclass(frozen=True, slots=True, kw_only=True)
class CascadeScores(Scores):
    """``Scores`` in which ``cleared`` (n,) says whose probabilities are the first stage's own estimate; their
    embeddings are zeros."""

    cleared: Bool


class Cascade:
    """A ``Scorer`` that costs a fraction of ``full`` where most content is harmless.

    A cleared item gets ``Clearing.estimates`` and an embedding of zeros. All else has the full scorer's own answer:
    what may be above a threshold, what the stage cannot read as a whole (long, empty or broken text, which fails in
    the full scorer's words), and the trickle. Float32 may decide an item exactly at the cut either way.
    """

    def __init__(self, full: Scorer, stage: FirstStage, clearing: Clearing) -> None:
        """Raises ModelRefused when the stage was not distilled from ``full``."""
        if clearing.full_version != full.version:
            raise ModelRefused(
                f"the cascade was distilled from scorer {clearing.full_version}, not from {full.name} {full.version}; "
                "fit it anew (goldfold cascade fit)"
            )
        if not stage.policies == clearing.policies == full.policies:
            raise ModelRefused(
                f"the cascade judges {', '.join(stage.policies)}, but {full.name} {', '.join(full.policies)}; "
                "fit it anew (goldfold cascade fit)"
            )
        self.full = full
        self.stage = stage
        self.clearing = clearing
        self.name = f"{full.name}, after a first stage"
        self.policies = full.policies
        self.embedding_version = str(getattr(full, "embedding_version", full.version))
        parts = ["cascade", full.version, stage.version, clearing.as_dict()]
        self.version = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:VERSION_LENGTH]

    @property
    def parts(self) -> tuple[Scorer, ...]:
        """The scorers that it is made of."""
        return (self.full,)

    def score(self, ids: Sequence[str], texts: Sequence[str], progress: Progress | None = None) -> CascadeScores:
        """As ``Scorer.score``."""
        if len(ids) != len(texts) or len(set(ids)) != len(ids):
            return _whole(self.full.score(ids, texts, progress))  # which refuses it
        reading = self.stage.read(texts)
        cleared = self.clearing.clears(reading) & ~self.clearing.trickles(ids)
        rest = np.flatnonzero(~cleared)
        answer = self.full.score([ids[i] for i in rest], [texts[i] for i in rest], _after(progress, int(cleared.sum())))
        if progress is not None and not len(rest):
            progress(len(ids), len(ids))
        return _merged(ids, cleared, self.clearing.estimates(reading)[cleared], answer)

    def score_fully(self, ids: Sequence[str], texts: Sequence[str], progress: Progress | None = None) -> Scores:
        """The full scorer's answer for every item, as ``Scorer.score``."""
        return self.full.score(ids, texts, progress)

    def would_clear(self, texts: Sequence[str]) -> Bool:
        """Which texts (n,) the first stage would clear if none were in the trickle."""
        return self.clearing.clears(self.stage.read(texts))


def _after(progress: Progress | None, cleared: int) -> Progress | None:
    """Steps of the full scorer as steps of the whole: cleared items are done before it starts."""
    if progress is None:
        return None
    hear = progress
    return lambda done, total: hear(cleared + done, cleared + total)


def _whole(scores: Scores) -> CascadeScores:
    return CascadeScores(
        scores.ids, scores.policies, scores.probabilities, scores.embeddings, scores.failures, scores.notes,
        cleared=np.zeros(len(scores.ids), np.bool_),
    )  # fmt: skip


def _merged(ids: Sequence[str], cleared: Bool, estimates: F32, answer: Scores) -> CascadeScores:
    """Cleared items and the full scorer's, in the order of ``ids``."""
    failed = {failure.item_id for failure in answer.failures}
    kept = np.array([item not in failed for item in ids], np.bool_)
    mask = cleared[kept]
    probabilities = np.empty((len(mask), len(answer.policies)), np.float32)
    probabilities[mask] = estimates
    probabilities[~mask] = answer.probabilities
    embeddings: npt.NDArray[np.float16] = np.zeros((len(mask), answer.embeddings.shape[1]), np.float16)
    embeddings[~mask] = answer.embeddings
    failures: tuple[Failure, ...] = answer.failures
    notes: tuple[Note, ...] = answer.notes
    ids = tuple(item for item, good in zip(ids, kept, strict=True) if good)
    return CascadeScores(ids, answer.policies, probabilities, embeddings, failures, notes, cleared=mask)
