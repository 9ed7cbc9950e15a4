"""One calibrated logistic head per policy on top of embeddings, kept as safetensors and JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from scoring.errors import ModelExists, ModelNotFound, ModelRefused
from scoring.model_files import VERSION_LENGTH, read_json
from scoring.saving import read_tensors, write_folder

F32 = npt.NDArray[np.float32]
SOURCES = ("prototype", "trained")
FORMAT = 1
TENSORS = "head.safetensors"
CARD = "head.json"


@dataclass(frozen=True, slots=True)
class Head:
    """k policies over d dimensions: ``P = sigmoid(a * (E w + b) + c)`` with (a, c) a row of ``platt``.

    ``weights`` (k, d), ``bias`` (k,), ``platt`` (k, 2), all float32 and finite, a > 0; ``sources`` says of each
    policy whether its row is a "prototype" (a ranking, not a probability) or "trained" (calibrated).
    Platt 1999, "Probabilistic outputs for support vector machines". Raises ValueError for anything else.
    """

    policies: tuple[str, ...]
    weights: F32
    bias: F32
    platt: F32
    sources: tuple[str, ...]
    encoder_version: str

    def __post_init__(self) -> None:
        k = len(self.policies)
        if not k or len(set(self.policies)) != k or not all(self.policies):
            raise ValueError("policies must be named, at least one, each once")
        if len(self.sources) != k or not set(self.sources) <= set(SOURCES):
            raise ValueError(f"sources must be one of {', '.join(SOURCES)} for each of {k} policies")
        dimension = self.weights.shape[1] if self.weights.ndim == 2 else 0
        for name, shape in (("weights", (k, dimension)), ("bias", (k,)), ("platt", (k, 2))):
            array = getattr(self, name)
            if array.dtype != np.float32 or array.shape != shape or 0 in shape:
                raise ValueError(f"{name} must be float32 of shape {shape}, not {array.dtype} of {array.shape}")
            if not np.isfinite(array).all():
                raise ValueError(f"{name} must be finite")
        if not (self.platt[:, 0] > 0).all():
            raise ValueError("platt slopes must be above 0, or the ranking would turn round")

    @property
    def dimension(self) -> int:
        return int(self.weights.shape[1])

    @property
    def version(self) -> str:
        """A short SHA-256 over all that shapes a probability."""
        digest = hashlib.sha256(json.dumps(_card(self), sort_keys=True).encode())
        for array in _tensors(self).values():
            digest.update(array.astype("<f4").tobytes())
        return digest.hexdigest()[:VERSION_LENGTH]

    def probabilities(self, embeddings: npt.NDArray[np.floating[Any]]) -> F32:
        """(n, d) unit vectors to (n, k) float32 in [0, 1]. Raises ValueError when d is not this head's.

        Computed in float64, so that a row's result does not depend on the rows beside it.
        """
        if embeddings.ndim != 2 or embeddings.shape[1] != self.dimension:
            raise ValueError(f"embeddings must be (n, {self.dimension}), not {embeddings.shape}")
        decisions = embeddings.astype(np.float64) @ self.weights.T.astype(np.float64) + self.bias
        return expit(decisions * self.platt[:, 0] + self.platt[:, 1]).astype(np.float32)

    def save(self, folder: Path) -> None:
        """Write ``folder`` whole or not at all; a no-op when it holds this very head.

        Raises ModelExists when it holds anything else, ModelNotSaved when it cannot be written.
        """
        if folder.exists():
            if not (folder / CARD).is_file() or Head.load(folder).version != self.version:
                raise ModelExists(f"{folder} is there already with other content; choose another folder")
            return
        write_folder(folder, (TENSORS, _tensors(self)), (CARD, {**_card(self), "version": self.version}))

    @classmethod
    def load(cls, folder: Path) -> Head:
        """Raises ModelNotFound when there is no head, ModelRefused when it is not what ``save`` wrote."""
        if not (folder / CARD).is_file() or not (folder / TENSORS).is_file():
            raise ModelNotFound(f"{folder} holds no head ({CARD} and {TENSORS})")
        card = read_json(folder / CARD, dict)
        tensors = read_tensors(folder / TENSORS)
        try:
            head = _assemble(cls, card, tensors)
        except (ValueError, TypeError) as error:
            raise ModelRefused(f"{folder} is not a head: {error}") from error
        if head.version != card["version"]:
            raise ModelRefused(f"{folder}: {TENSORS} and {CARD} do not belong together (content hash differs)")
        return head


def _tensors(head: Head) -> dict[str, F32]:
    return {"weights": head.weights, "bias": head.bias, "platt": head.platt}


def _card(head: Head) -> dict[str, object]:
    return {
        "format": FORMAT,
        "encoder_version": head.encoder_version,
        "policies": list(head.policies),
        "sources": list(head.sources),
    }


def _assemble(kind: type[Head], card: Mapping[str, Any], tensors: Mapping[str, npt.NDArray[Any]]) -> Head:
    keys = {"format", "encoder_version", "policies", "sources", "version"}
    if set(card) != keys or card["format"] != FORMAT:
        raise ValueError(f"{CARD} must have the keys {', '.join(sorted(keys))}, and format {FORMAT}")
    texts = [card["encoder_version"], card["version"], *card["policies"], *card["sources"]]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError(f"{CARD} must hold text in all keys but format")
    if set(tensors) != {"weights", "bias", "platt"}:
        raise ValueError(f"{TENSORS} must hold weights, bias and platt, not {', '.join(sorted(tensors))}")
    return kind(
        policies=tuple(card["policies"]),
        sources=tuple(card["sources"]),
        encoder_version=card["encoder_version"],
        **tensors,
    )


def completed(head: Head, fallback: Head) -> Head:
    """``fallback`` with every policy that ``head`` knows taken from ``head``: a model trained before a policy came in
    still scores all of them. Raises ValueError when the two were made for different encoders."""
    if head.encoder_version != fallback.encoder_version or head.dimension != fallback.dimension:
        raise ValueError(f"one head is for encoder {head.encoder_version}, the other for {fallback.encoder_version}")
    rows = [
        (head, head.policies.index(p)) if p in head.policies else (fallback, fallback.policies.index(p))
        for p in fallback.policies
    ]
    return Head(
        policies=fallback.policies,
        weights=np.stack([one.weights[i] for one, i in rows]),
        bias=np.stack([one.bias[i] for one, i in rows]),
        platt=np.stack([one.platt[i] for one, i in rows]),
        sources=tuple(one.sources[i] for one, i in rows),
        encoder_version=fallback.encoder_version,
    )
