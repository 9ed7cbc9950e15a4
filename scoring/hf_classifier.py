"""Any transformers text-classification model as a scorer, its labels mapped to policies."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification

from scoring.base import Progress, Scores
from scoring.engine import run
from scoring.errors import ModelRefused
from scoring.label_map import LabelMap
from scoring.model_files import VERSION_LENGTH, fingerprint, locate
from scoring.networks import Array
from scoring.text_model import Hidden
from scoring.text_network import Options, TextNetwork, mean_vector


class HFClassifier(TextNetwork):
    """A ``Scorer`` over a fine-tuned classifier. A text longer than ``max_tokens`` is read in windows, as ``Scorer``
    says, or cut there.

    What its labels mean is said by a ``LabelMap``. Embeddings are the mean of the last hidden states, as unit vectors.
    """

    def __init__(
        self,
        model: str | Path,
        labels: Mapping[str, str],
        *,
        revision: str | None = None,
        policies: Sequence[str] | None = None,
        activation: str | None = None,
        device: str = "auto",
        batch_tokens: int | None = None,
        max_tokens: int | None = None,
        long_text: str = "windows",
        packed: bool | None = None,
        compiled: bool = False,
        cpu_precision: str = "float32",
    ) -> None:
        """``labels``: the model's label -> policy id; ``revision``: the commit of a hub id; ``policies``: those that
        must be covered, in this order (None: those of the map, sorted); ``activation``: "sigmoid", "softmax" or None
        for what the model's config says; the others as of ``SentenceEncoder``. Raises ModelNotFound, ModelRefused,
        LabelMapError, DeviceError, ValueError.
        """
        folder = locate(model, revision)
        self.name = Path(str(model)).name
        options = Options(
            device=device,
            batch_tokens=batch_tokens,
            max_tokens=max_tokens,
            long_text=long_text,
            packed=packed,
            compiled=compiled,
            cpu_precision=cpu_precision,
        )
        super().__init__(AutoModelForSequenceClassification, folder, options)
        if self.module.base_model is self.module:
            raise ModelRefused(f"{self.name} has no encoder of its own below its classifier")
        self._map = LabelMap(self.module, labels, policies, activation)
        self.activation, self.policies = self._map.activation, self._map.policies
        shape = {"max_tokens": self.max_tokens, "pooling": "mean", "long_text": self.long_text.rule}
        self.embedding_version = fingerprint(folder, shape)
        settings = json.dumps([self.embedding_version, *self._map.settings], sort_keys=True)
        self.version = hashlib.sha256(settings.encode()).hexdigest()[:VERSION_LENGTH]
        self._settle()

    @property
    def columns(self) -> tuple[tuple[int, type[np.generic]], ...]:
        return ((len(self.policies), np.float32), (int(self.module.config.hidden_size), np.float16))

    def score(self, ids: Sequence[str], texts: Sequence[str], progress: Progress | None = None) -> Scores:
        """As ``Scorer.score``."""
        result = run(self, ids, texts, progress)
        probabilities, embeddings = result.arrays
        return Scores(result.ids, self.policies, probabilities, embeddings, result.failures, result.notes)

    def join(self, parts: tuple[Array, ...]) -> tuple[Array, ...]:
        return parts[0].max(axis=0), mean_vector(parts[1])

    def _answer(self, output: Any, hidden: Hidden) -> tuple[torch.Tensor, ...]:
        return output.logits[: hidden.count].float(), hidden.pool("mean").half()

    def _finish(self, arrays: tuple[Array, ...]) -> tuple[Array, ...]:
        return self._map.probabilities(torch.from_numpy(arrays[0])), arrays[1]
