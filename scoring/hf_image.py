"""Any transformers image classifier as a scorer, its labels mapped to policies."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from threading import Lock

import numpy as np
import torch
from transformers import AutoModelForImageClassification

from scoring.device import BATCH_FRAMES, resolve_device
from scoring.errors import ModelRefused
from scoring.frame_scorer import F32, FrameScorer
from scoring.image_inputs import ImageInputs, Inputs, collate
from scoring.images import DEFAULT, Limits, Pixels
from scoring.label_map import LabelMap
from scoring.loading import load_model
from scoring.model_files import VERSION_LENGTH, fingerprint, locate


class HFImageClassifier(FrameScorer[Inputs]):
    """An ``ImageScorer`` over a fine-tuned classifier: ViT, Swin, ConvNeXt, BEiT, SigLIP and their kin.

    What its labels mean is said by a ``LabelMap``; pixels are prepared as the model's own files say. Embeddings are the
    features that the last layer reads.
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
        batch: int | None = None,
        limits: Limits = DEFAULT,
    ) -> None:
        """``revision``: the commit of a hub id; ``batch``: frames at a time; the rest as ``LabelMap``. Raises
        ModelNotFound, ModelRefused, LabelMapError, DeviceError, ValueError."""
        self.device = resolve_device(device)
        super().__init__(limits, BATCH_FRAMES[self.device.type] if batch is None else batch)
        folder = locate(model, revision)
        self.name = Path(str(model)).name
        self.module = load_model(AutoModelForImageClassification, folder, self.device)
        self._map = LabelMap(self.module, labels, policies, activation)
        self.activation, self.policies = self._map.activation, self._map.policies
        self._inputs = ImageInputs(folder)
        self._lock = Lock()  # the hook hands the features over through this object
        self._features: torch.Tensor | None = None
        self._listen()
        self.dimension = self._try()
        self.embedding_version = fingerprint(folder, {"features": "last layer", **asdict(limits)})
        settings = json.dumps([self.embedding_version, *self._map.settings], sort_keys=True)
        self.version = hashlib.sha256(settings.encode()).hexdigest()[:VERSION_LENGTH]

    def _prepare(self, frame: Pixels) -> Inputs:
        return self._inputs.prepare(frame)

    def _forward(self, inputs: Sequence[Inputs]) -> tuple[F32, F32]:
        logits, features = self._run(inputs)
        return self._map.probabilities(logits), features.float().cpu().numpy()

    def _run(self, inputs: Sequence[Inputs]) -> tuple[torch.Tensor, torch.Tensor]:
        """(n, labels) logits and (n, d) features."""
        with self._lock, torch.inference_mode():
            logits = self.module(**collate(inputs, self.device, self.module.dtype)).logits
            features, self._features = self._features, None
        if features is None:
            raise RuntimeError(f"{self.name} gave no features")
        return logits, features.flatten(1)

    def _try(self) -> int:
        """The number of features, seen on a blank picture."""
        try:
            return int(self._run([self._prepare(np.zeros((8, 8, 3), np.uint8))])[1].shape[1])
        except (LookupError, RuntimeError, TypeError, ValueError) as error:
            raise ModelRefused(f"{self.name} cannot read what its image processor makes: {error}") from error

    def _listen(self) -> None:
        layer = getattr(self.module, "classifier", None)
        if not isinstance(layer, torch.nn.Module):
            raise ModelRefused(f"{self.name}: {type(self.module).__name__} has no single last layer to read from")
        layer.register_forward_pre_hook(self._keep_features)

    def _keep_features(self, _layer: torch.nn.Module, args: tuple[torch.Tensor, ...]) -> None:
        self._features = args[0]
