"""A fine-tuned classifier beside the service's encoder: its probabilities, the encoder's embeddings."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from scoring.base import Progress, Scorer, Scores
from scoring.finetuned import Finetuned
from scoring.hf_classifier import HFClassifier
from scoring.model_files import VERSION_LENGTH


def open_classifier(
    model: Finetuned, *, device: str = "auto", batch_tokens: int | None = None, cpu_precision: str = "float32"
) -> HFClassifier:
    """The classifier of a fine-tuned model, which scores its own policies alone; long texts are read in windows.
    Raises ModelRefused, DeviceError."""
    return HFClassifier(
        model.folder,
        {policy: policy for policy in model.policies},
        policies=model.policies,
        activation="sigmoid",
        device=device,
        batch_tokens=batch_tokens,
        max_tokens=model.max_tokens,
        cpu_precision=cpu_precision,
    )


class Beside(Scorer, Protocol):
    """A scorer that names what makes its embeddings."""

    @property
    def embedding_version(self) -> str: ...


class FinetunedScorer:
    """A ``Scorer`` for the policies of ``beside``: those the classifier has learnt are its, the others ``beside``'s.

    Embeddings, and so near-duplicates, neighbours and heads, stay those of the service's encoder: a classifier pulls
    all that violates together, which is no likeness. An item fails when either of the two cannot read it.
    """

    def __init__(self, model: Finetuned, classifier: Scorer, beside: Beside) -> None:
        """``classifier``: that of the model; ``beside``: the encoder, under a head for all policies."""
        self._classifier, self._beside = classifier, beside
        self.name = f"{classifier.name} beside {beside.name}"
        self.policies = beside.policies
        self.embedding_version = beside.embedding_version
        own = [policy for policy in model.policies if policy in beside.policies]
        self._places = [(beside.policies.index(policy), model.policies.index(policy)) for policy in own]
        rest = beside.version if len(own) < len(beside.policies) else beside.embedding_version
        told = f"finetuned {model.version} beside {rest} for {' '.join(beside.policies)}"
        self.version = hashlib.sha256(told.encode()).hexdigest()[:VERSION_LENGTH]

    def score(self, ids: Sequence[str], texts: Sequence[str], progress: Progress | None = None) -> Scores:
        """As ``Scorer.score``."""
        judged = self._classifier.score(ids, texts, progress)
        by_id = dict(zip(ids, texts, strict=True))
        found = self._beside.score(judged.ids, [by_id[item_id] for item_id in judged.ids])
        rows = {item_id: row for row, item_id in enumerate(judged.ids)}
        kept = [rows[item_id] for item_id in found.ids]
        probabilities = np.array(found.probabilities, np.float32)
        for place, source in self._places:
            probabilities[:, place] = judged.probabilities[kept, source]
        place_of = {item_id: place for place, item_id in enumerate(ids)}
        failures = sorted((*judged.failures, *found.failures), key=lambda failure: place_of[failure.item_id])
        notes = (*(note for note in judged.notes if note.item_id in set(found.ids)), *found.notes)
        return Scores(found.ids, self.policies, probabilities, found.embeddings, tuple(failures), notes)
