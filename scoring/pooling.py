"""Token states to one unit vector a text."""

from __future__ import annotations

from pathlib import Path

import torch

from scoring.errors import ModelRefused
from scoring.model_files import read_json

MODES = ("mean", "cls", "max")
MODULES = ("Transformer", "Pooling", "Normalize")
_OLD_KEYS = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
}


def read_mode(folder: Path) -> str:
    """The pooling a sentence-transformers folder asks for; ``mean`` where it says nothing.

    Raises ModelRefused for anything this room would do differently from the model's makers.
    """
    _refuse_unknown_modules(folder)
    config = read_json(folder / "1_Pooling" / "config.json", dict)
    named = config.get("pooling_mode")
    asked = [named] if named else [key for key, value in config.items() if key.startswith("pooling_mode_") and value]
    modes = [_OLD_KEYS.get(str(key), str(key)) for key in asked] or ["mean"]
    if len(modes) != 1 or modes[0] not in MODES:
        raise ModelRefused(f"{folder}: pooling {' + '.join(modes)} is not supported (only one of {', '.join(MODES)})")
    return modes[0]


def _refuse_unknown_modules(folder: Path) -> None:
    for module in read_json(folder / "modules.json", list):
        kind = str(module.get("type") if isinstance(module, dict) else module).rpartition(".")[2]
        if kind not in MODULES:
            raise ModelRefused(f"{folder}: it has a {kind} layer on top, which is not supported")


def pool(states: torch.Tensor, mask: torch.Tensor, mode: str = "mean") -> torch.Tensor:
    """(n, t, d) states and (n, t) mask to (n, d) float32 unit vectors; padding takes no part."""
    states = states.float()
    weights = mask.unsqueeze(-1).to(states.dtype)
    if mode == "cls":
        vectors = states[:, 0]
    elif mode == "max":
        vectors = states.masked_fill(weights == 0, float("-inf")).amax(dim=1)
    else:
        vectors = (states * weights).sum(dim=1) / weights.sum(dim=1)
    return torch.nn.functional.normalize(vectors, dim=-1)
