"""A classifier's labels as policies: checked when the model loads, applied to its logits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from transformers import PreTrainedModel

from scoring.errors import LabelMapError, ModelRefused

ACTIVATIONS = ("sigmoid", "softmax")


class LabelMap:
    """Which labels stand for which policy.

    Several labels may stand for one policy. With softmax they exclude each other, so their probabilities add up;
    with sigmoid they may hold together, so the largest counts (the lower bound of "any of them").
    Labels that are not in the map (such as "neutral") are left out.
    """

    def __init__(
        self, model: PreTrainedModel, labels: Mapping[str, str], policies: Sequence[str] | None, activation: str | None
    ) -> None:
        """``labels``: the model's label -> policy id; ``policies``: those that must be covered, in this order (None:
        those of the map, sorted); ``activation``: "sigmoid", "softmax" or None for what the model's config says.
        Raises LabelMapError, ModelRefused, ValueError."""
        self.activation = _activation(model, activation)
        known = _labels(model)
        self.policies = _policies(labels, known, policies)
        self._labels = dict(labels)
        self._members = [[i for i, name in enumerate(known) if labels.get(name) == p] for p in self.policies]

    @property
    def settings(self) -> list[object]:
        """All that shapes a probability, JSON-able."""
        return [self._labels, self.policies, self.activation]

    def probabilities(self, logits: torch.Tensor) -> npt.NDArray[np.float32]:
        """(n, labels) logits to (n, policies) in [0, 1]; what is not finite stays so."""
        logits = logits.float()
        shares = (logits.sigmoid() if self.activation == "sigmoid" else logits.softmax(dim=-1)).cpu().numpy()
        combine = np.max if self.activation == "sigmoid" else np.sum
        columns = [combine(shares[:, members], axis=1) for members in self._members]
        return np.clip(np.stack(columns, axis=1), 0, 1)


def _labels(model: PreTrainedModel) -> list[str]:
    names = {int(place): str(name) for place, name in (model.config.id2label or {}).items()}
    return [names[place] for place in sorted(names)]


def _activation(model: PreTrainedModel, asked: str | None) -> str:
    """The rule of ``transformers.pipeline``, but a regression needs an explicit answer."""
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
