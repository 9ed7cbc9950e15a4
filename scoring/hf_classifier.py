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
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from scoring.base import Progress, Scores
from scoring.device import BATCH_TOKENS, resolve_device
from scoring.engine import run
from scoring.errors import LabelMapError, ModelRefused
from scoring.loading import load_model
from scoring.model_files import VERSION_LENGTH, fingerprint, locate
from scoring.pooling import pool
from scoring.tokens import Tokenizer, Tokens

ACTIVATIONS = ("sigmoid", "softmax")


class HFClassifier:
    """A ``Scorer`` over a fine-tuned classifier; a text longer than ``max_tokens`` is cut there.

    Several labels may stand for one policy. With softmax they exclude each other, so their probabilities add up;
    with sigmoid they may hold together, so the largest counts (the lower bound of "any of them").
    Labels that are not in the map (such as "neutral") are left out. Embeddings are the mean of the last hidden
    states, as unit vectors.
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
        self.activation = _activation(self.module, activation)
        known = _labels(self.module)
        self.policies = _policies(labels, known, policies)
        self._members = [[i for i, name in enumerate(known) if labels.get(name) == p] for p in self.policies]
        self.embedding_version = fingerprint(folder, {"max_tokens": self.max_tokens, "pooling": "mean"})
        settings = json.dumps([self.embedding_version, dict(labels), self.policies, self.activation], sort_keys=True)
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
            logits = self.module(**inputs).logits.float()
            vectors = pool(self._taken_states(), inputs["attention_mask"])
            shares = logits.sigmoid() if self.activation == "sigmoid" else logits.softmax(dim=-1)
        return self._by_policy(shares.cpu().numpy()), vectors.cpu().numpy().astype(np.float16)

    def _by_policy(self, shares: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        combine = np.max if self.activation == "sigmoid" else np.sum
        columns = [combine(shares[:, members], axis=1) for members in self._members]
        return np.clip(np.stack(columns, axis=1), 0, 1)

    def _keep_states(self, _module: torch.nn.Module, _inputs: object, output: Any) -> None:
        self._states = output[0]

    def _taken_states(self) -> torch.Tensor:
        states, self._states = self._states, None
        if states is None:
            raise RuntimeError(f"{self.name} gave no hidden states")
        return states


def _labels(model: PreTrainedModel) -> list[str]:
    names = {int(place): str(name) for place, name in (model.config.id2label or {}).items()}
    return [names[place] for place in sorted(names)]


def _activation(model: PreTrainedModel, asked: str | None) -> str:
    """The rule of ``transformers.pipeline("text-classification")``, but a regression needs an explicit answer."""
    if asked is not None:
        if asked not in ACTIVATIONS:
            raise ValueError(f"activation {asked!r} is unknown; use one of {', '.join(ACTIVATIONS)}")
        return asked
    kind = model.config.problem_type
    if kind == "regression":
        raise ModelRefused(
            f"{model.config.name_or_path} is a regression, not a classifier; name an activation to use it"
        )
    if kind == "multi_label_classification" or model.config.num_labels == 1:
        return "sigmoid"
    return "softmax"


def _policies(labels: Mapping[str, str], known: Sequence[str], asked: Sequence[str] | None) -> tuple[str, ...]:
    unknown = sorted(set(labels) - set(known))
    if unknown:
        raise LabelMapError(f"the model has no label {', '.join(unknown)}; it has {', '.join(known)}")
    covered = set(labels.values())
    if asked is not None and covered - set(asked):
        raise LabelMapError(f"the label map names unknown policies: {', '.join(sorted(covered - set(asked)))}")
    bare = [policy for policy in asked or () if policy not in covered]
    if bare or not covered:
        raise LabelMapError(f"no label stands for: {', '.join(bare) or 'any policy'}; the model has {', '.join(known)}")
    return tuple(asked) if asked is not None else tuple(sorted(covered))
