"""Any transformers text-classification model as a scorer, its labels mapped to policies."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import AutoModelForSequenceClassification

from scoring.base import Progress, Scores
from scoring.device import BATCH_TOKENS, resolve_device
from scoring.engine import run
from scoring.errors import ModelRefused
from scoring.label_map import LabelMap
from scoring.loading import load_model
from scoring.model_files import VERSION_LENGTH, fingerprint, locate
from scoring.pooling import pool
from scoring.tokens import Tokenizer, Tokens


class HFClassifier:
    """A ``Scorer`` over a fine-tuned classifier; a text longer than ``max_tokens`` is cut there.

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
    ) -> None:
        """``labels``: the model's label -> policy id; ``revision``: the commit of a hub id; ``policies``: those that
        must be covered, in this order (None: those of the map, sorted); ``activation``: "sigmoid", "softmax" or None
        for what the model's config says. Raises ModelNotFound, ModelRefused, LabelMapError, DeviceError, ValueError.
        """
        folder = locate(model, revision)
        self.name = Path(str(model)).name
        self.device = resolve_device(device)
        self.batch_tokens = batch_tokens or BATCH_TOKENS[self.device.type]
        self.module = load_model(AutoModelForSequenceClassification, folder, self.device)
        self._tokenizer = Tokenizer(folder, self.module, max_tokens)
        self.max_tokens = self._tokenizer.max_tokens
        self._map = LabelMap(self.module, labels, policies, activation)
        self.activation, self.policies = self._map.activation, self._map.policies
        self.embedding_version = fingerprint(folder, {"max_tokens": self.max_tokens, "pooling": "mean"})
        settings = json.dumps([self.embedding_version, *self._map.settings], sort_keys=True)
        self.version = hashlib.sha256(settings.encode()).hexdigest()[:VERSION_LENGTH]
        self._lock = Lock()  # the hook hands the states over through this object
        self._states: torch.Tensor | None = None
        if self.module.base_model is self.module:
            raise ModelRefused(f"{self.name} has no encoder of its own below its classifier")
        self.module.base_model.register_forward_hook(self._keep_states)

    @property
    def columns(self) -> tuple[tuple[int, type[np.generic]], ...]:
        return ((len(self.policies), np.float32), (int(self.module.config.hidden_size), np.float16))

    def score(self, ids: Sequence[str], texts: Sequence[str], progress: Progress | None = None) -> Scores:
        """As ``Scorer.score``."""
        result = run(self, ids, texts, progress)
        return Scores(result.ids, self.policies, result.arrays[0], result.arrays[1], result.failures)

    def tokenize(self, texts: list[str]) -> list[Tokens]:
        return self._tokenizer.rows(texts)

    def forward(self, rows: Sequence[Tokens]) -> tuple[npt.NDArray[Any], ...]:
        inputs = self._tokenizer.collate(rows, self.device)
        with self._lock, torch.inference_mode():
            logits = self.module(**inputs).logits
            vectors = pool(self._taken_states(), inputs["attention_mask"])
            return self._map.probabilities(logits), vectors.cpu().numpy().astype(np.float16)

    def _keep_states(self, _module: torch.nn.Module, _inputs: object, output: Any) -> None:
        self._states = output[0]

    def _taken_states(self) -> torch.Tensor:
        states, self._states = self._states, None
        if states is None:
            raise RuntimeError(f"{self.name} gave no hidden states")
        return states
