"""Made-up lessons in two policies that a tiny model can learn, and the settings to learn them fast."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from scoring.finetune_settings import FinetuneSettings, Lessons
from tests.scoring.tiny import CORPUS, write_model

POLICIES = ("abuse", "noise")
BAD = ["bad", "words", "can", "hurt", "people"]
GOOD = [word for word in CORPUS[1].split() if word not in BAD]


def made_lessons(count: int = 60, seed: int = 0) -> Lessons:
    """Every other text is ``abuse``; of every third is known whether it is ``noise``, which is the opposite."""
    rng = np.random.default_rng(seed)
    texts, rows = [], []
    for n in range(count):
        violates = n % 2
        texts.append(" ".join(rng.choice(BAD if violates else GOOD, size=rng.integers(3, 10))))
        rows.append([violates, np.nan if n % 3 else 1 - violates])
    labels = np.array(rows, np.float32).reshape(count, 2)
    return Lessons(tuple(texts), labels.copy(), labels)


def fast(**changes: Any) -> FinetuneSettings:
    given: dict[str, Any] = {
        "epochs": 3,
        "step_tokens": 128,
        "batch_tokens": 64,
        "learning_rate": 2e-3,
        "patience": 100,
        "device": "cpu",
        "seed": 3,
    }
    return FinetuneSettings(**given | changes)


def made_base(folder: Path, kind: str = "bert") -> Path:
    """A tiny model with weights as small as those of a model that is yet to learn."""
    path = write_model(folder, kind) / "model.safetensors"
    tensors = load_file(path)
    save_file({name: t * np.float32(0.1 if t.ndim == 2 else 1) for name, t in tensors.items()}, path, {"format": "pt"})
    return folder


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
