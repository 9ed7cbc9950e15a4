"""Token states to one unit vector a text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from scoring.errors import ModelRefused
from scoring.model_files import read_json
from scoring.packed import Layout

MODES = ("mean", "cls", "max", "lasttoken")
MODULES = ("Transformer", "Pooling", "Normalize")
_SAME = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_lasttoken": "lasttoken",
    "pooling_mode_mean_sqrt_len_tokens": "mean",  # another length of the same vector, and all are made unit vectors
    "mean_sqrt_len_tokens": "mean",
}


@dataclass(frozen=True, slots=True)
class Pooling:
    """``mode``: one of ``MODES``; ``include_prompt``: whether the tokens of a prompt take part."""

    mode: str
    include_prompt: bool = True


def read_pooling(folder: Path) -> Pooling:
    """The pooling a sentence-transformers folder asks for; the mean of all tokens where it says nothing.

    Raises ModelRefused for anything this room would do differently from the model's makers.
    """
    _refuse_unknown_modules(folder)
    config = read_json(folder / "1_Pooling" / "config.json", dict)
    named = config.get("pooling_mode")
    named = [named] if isinstance(named, str) else named
    asked = named or [key for key, value in config.items() if key.startswith("pooling_mode_") and value]
    modes = [_SAME.get(str(key), str(key)) for key in asked] or ["mean"]
    if len(modes) != 1 or modes[0] not in MODES:
        raise ModelRefused(f"{folder}: pooling {' + '.join(modes)} is not supported (only one of {', '.join(MODES)})")
    return Pooling(modes[0], bool(config.get("include_prompt", True)))


def _refuse_unknown_modules(folder: Path) -> None:
    for module in read_json(folder / "modules.json", list):
        kind = str(module.get("type") if isinstance(module, dict) else module).rpartition(".")[2]
        if kind not in MODULES:
            raise ModelRefused(f"{folder}: it has a {kind} layer on top, which is not supported")


def pool(states: torch.Tensor, mask: torch.Tensor, mode: str = "mean", skip: int = 0) -> torch.Tensor:
    """(n, t, d) states and (n, t) mask to (n, d) float32 unit vectors; padding takes no part, on either side.

    ``skip``: tokens at the start of each text that take no part either, such as those of a prompt.
    """
    states = states.float()
    places = torch.arange(mask.shape[1], device=mask.device)
    mask = mask.bool()
    if skip:
        mask = mask & (places >= mask.int().argmax(dim=1, keepdim=True) + skip)
    weights = mask.unsqueeze(-1).to(states.dtype)
    if mode == "max":
        vectors = states.masked_fill(weights == 0, float("-inf")).amax(dim=1)
    elif mode == "mean":
        vectors = (states * weights).sum(dim=1) / weights.sum(dim=1)
    else:
        chosen = mask.int().argmax(dim=1) if mode == "cls" else (mask * places).argmax(dim=1)
        vectors = states[torch.arange(len(states), device=states.device), chosen]
    return torch.nn.functional.normalize(vectors, dim=-1)


def pool_packed(states: torch.Tensor, layout: Layout, mode: str = "mean", skip: int = 0) -> torch.Tensor:
    """As ``pool``, for (1, total, d) states that lie as ``layout`` says."""
    flat = states.squeeze(0)
    bounds = layout.bounds.long()
    if mode == "cls":
        vectors = flat[bounds[:-1] + skip].float()
    elif mode == "lasttoken":
        vectors = flat[bounds[1:] - 1].float()
    else:
        lengths = bounds.diff()
        if skip:
            begun = torch.repeat_interleave(bounds[:-1], lengths, output_size=len(flat))
            flat = flat[torch.arange(len(flat), device=flat.device) - begun >= skip]
            lengths = lengths - skip
        vectors = torch.segment_reduce(flat.float(), mode, lengths=lengths, axis=0, unsafe=True)
    return torch.nn.functional.normalize(vectors, dim=-1)
