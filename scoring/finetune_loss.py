"""The loss of several policies at once: an item judged under one policy says nothing about the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from sklearn.metrics import average_precision_score
from torch.nn.functional import softplus

from scoring.finetune_settings import CLASS_WEIGHTS, EVEN

F32 = npt.NDArray[np.float32]
MAX_RATIO = 50.0  # of the weight of one class to that of the other: beyond it a few labels would drown the rest


@dataclass(frozen=True, slots=True)
class ClassWeights:
    """What a label of each class counts, by policy: ``violates`` and ``allowed`` (k,) float32, above 0."""

    violates: F32
    allowed: F32

    @property
    def shift(self) -> F32:
        """(k,) how far the weights move the logit of a perfect model: the log of the odds they are multiplied by."""
        shift: F32 = np.log(self.violates / self.allowed).astype(np.float32)
        return shift


def class_weights(targets: F32, rule: str) -> ClassWeights:
    """``targets`` (n, k) in [0, 1] or NaN. "balanced": both classes of a policy weigh the same in sum, within
    ``MAX_RATIO``, and a label weighs 1 on average; "none": each label weighs 1. Raises ValueError for another rule."""
    if rule not in CLASS_WEIGHTS:
        raise ValueError(f"class weights {rule!r} are unknown; use {' or '.join(CLASS_WEIGHTS)}")
    k = targets.shape[1]
    if rule == EVEN:
        return ClassWeights(np.ones(k, np.float32), np.ones(k, np.float32))
    n = np.isfinite(targets).sum(axis=0)
    positives = np.nansum(targets.astype(np.float64), axis=0)
    negatives = n - positives
    ratio = np.clip(negatives / positives, 1 / MAX_RATIO, MAX_RATIO)
    allowed = n / (positives * ratio + negatives)
    return ClassWeights((ratio * allowed).astype(np.float32), allowed.astype(np.float32))


class PolicyLoss:
    """Weighted cross-entropy of logits (n, k) to targets (n, k) in [0, 1]; NaN targets count nothing.

    Its sum, and the weight it rests on: a step divides by the weight of all its micro-batches, so that how they were
    cut changes nothing.
    """

    def __init__(self, weights: ClassWeights, device: torch.device) -> None:
        self._violates = torch.from_numpy(weights.violates).to(device)
        self._allowed = torch.from_numpy(weights.allowed).to(device)

    def weight(self, targets: torch.Tensor) -> torch.Tensor:
        """The weight of all known targets."""
        return torch.nansum(self._violates * targets + self._allowed * (1 - targets))

    def total(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The weighted sum over all known targets."""
        known = torch.isfinite(targets)
        aims = torch.where(known, targets, 0.0)
        z = logits.float()
        losses = self._violates * aims * softplus(-z) + self._allowed * (1 - aims) * softplus(z)
        return (losses * known).sum()


def mean_average_precision(logits: F32, labels: F32) -> float | None:
    """The mean over those policies that have both classes; None when no policy has."""
    found = []
    for j in range(labels.shape[1]):
        known = np.isfinite(labels[:, j])
        answers = labels[known, j] >= 0.5
        if answers.any() and not answers.all():
            found.append(float(average_precision_score(answers, logits[known, j])))
    return float(np.mean(found)) if found else None
