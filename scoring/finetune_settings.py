"""What a fine-tuning is asked for, told without torch: how, and from which labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
FULL, LORA = "full", "lora"
METHODS = (FULL, LORA)
BALANCED, EVEN = "balanced", "none"
CLASS_WEIGHTS = (BALANCED, EVEN)
MIN_PER_CLASS = 5  # fewer labels of a class: the policy is left out of the model


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuneSettings:
    """How to fine-tune. None: as the method, the model or the device suggests.

    ``method``: "full" or "lora"; ``epochs``: the most; ``step_tokens``: tokens that an optimizer step gathers
    gradients over, ``batch_tokens`` at a time; ``max_tokens``: of a text, what is longer is cut; ``warmup``: share of
    the steps in which the learning rate rises; ``patience``: judgements of dev without a lower loss that end it,
    ``judgements`` of them an epoch; ``class_weights``: "balanced" or "none". Raises ValueError for anything else.
    """

    method: str = FULL
    epochs: int = 4
    learning_rate: float | None = None
    weight_decay: float = 0.01
    warmup: float = 0.06
    step_tokens: int = 4096
    batch_tokens: int | None = None
    max_tokens: int | None = None
    patience: int = 3
    judgements: int = 2
    class_weights: str = BALANCED
    lora_rank: int = 8
    lora_alpha: int = 16
    lora_dropout: float = 0.05
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"method {self.method!r} is unknown; use {' or '.join(METHODS)}")
        if self.class_weights not in CLASS_WEIGHTS:
            raise ValueError(f"class weights {self.class_weights!r} are unknown; use {' or '.join(CLASS_WEIGHTS)}")
        least = {"epochs": 1, "step_tokens": 1, "patience": 1, "judgements": 1, "lora_rank": 1, "seed": 0}
        for name, bound in least.items():
            if getattr(self, name) < bound:
                raise ValueError(f"{name} must be at least {bound}, not {getattr(self, name)}")
        for name in ("learning_rate", "batch_tokens"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"{name} must be above 0, not {value}")
        if not 0 <= self.warmup < 1:
            raise ValueError(f"warmup must lie in [0, 1), not {self.warmup}")


@dataclass(frozen=True, slots=True)
class Lessons:
    """n texts and what they teach of k policies: ``targets`` (n, k) float32 in [0, 1], NaN where nothing is known;
    ``labels`` the same as final answers, 1, 0 or NaN. Raises ValueError for shapes or values that do not fit."""

    texts: tuple[str, ...]
    targets: F32
    labels: F32

    def __post_init__(self) -> None:
        if self.targets.shape != self.labels.shape or len(self.targets) != len(self.texts):
            raise ValueError(f"{len(self.texts)} texts, targets {self.targets.shape}, labels {self.labels.shape}")
        known = self.targets[np.isfinite(self.targets)]
        if np.isinf(self.targets).any() or (len(known) and not (known.min() >= 0 and known.max() <= 1)):
            raise ValueError("targets must lie in [0, 1] or be NaN")

    def of(self, columns: Sequence[int]) -> Lessons:
        """Of these policies alone; texts that then teach nothing are left out."""
        targets, labels = self.targets[:, list(columns)], self.labels[:, list(columns)]
        rows = np.flatnonzero(np.isfinite(targets).any(axis=1))
        return Lessons(tuple(self.texts[i] for i in rows), targets[rows], labels[rows])


def counts(labels: F32) -> list[tuple[int, int]]:
    """(violating, allowed) of each policy, of labels 1, 0 or NaN."""
    return [(int((labels[:, j] == 1).sum()), int((labels[:, j] == 0).sum())) for j in range(labels.shape[1])]


def trainable(policies: Sequence[str], labels: F32, fewest: int) -> tuple[list[int], dict[str, str]]:
    """Columns with ``fewest`` labels of either class at least, and for each other policy why it is left out."""
    kept, notes = [], {}
    for j, (positives, negatives) in enumerate(counts(labels)):
        if min(positives, negatives) >= fewest:
            kept.append(j)
        else:
            notes[policies[j]] = f"{positives} violating and {negatives} allowed labels, {fewest} of each are needed"
    return kept, notes
