"""Keys and values of prompt beginnings that many items share: computed once, kept within a bound, reused."""

from __future__ import annotations

from collections.abc import Callable

import torch
from transformers import DynamicCache

from scoring.errors import ModelRefused

Layers = tuple[tuple[torch.Tensor, torch.Tensor], ...]  # keys and values of each layer, (n, heads, t, width) each
Ids = tuple[int, ...]


class PrefixCache:
    """The layers of prefixes, as many as ``limit_bytes`` hold; not for several threads at once.

    First come, first kept: a scorer asks for the same few prefixes in the same order again and again, where making
    room for the newest would throw each one out just before it is asked for.
    """

    def __init__(self, compute: Callable[[Ids], Layers], limit_bytes: int) -> None:
        """``compute``: token ids to layers with n = 1. Raises ValueError for a limit below 0."""
        if limit_bytes < 0:
            raise ValueError(f"the cache of prefixes cannot hold {limit_bytes} bytes; use 0 or more")
        self.limit_bytes = limit_bytes
        self.used_bytes = 0
        self.computed = 0  # times a prefix had to be read by the model
        self._compute = compute
        self._kept: dict[Ids, Layers] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, ids: Ids) -> Layers:
        """The layers of this prefix; what finds no room is computed each time."""
        if ids in self._kept:
            return self._kept[ids]
        layers = self._compute(ids)
        self.computed += 1
        size = bytes_of(layers)
        if self.used_bytes + size <= self.limit_bytes:
            self._kept[ids] = layers
            self.used_bytes += size
        return layers


def bytes_of(layers: Layers) -> int:
    """Memory of the keys and values."""
    return sum(keys.nbytes + values.nbytes for keys, values in layers)


def extend(
    model: torch.nn.Module, past: Layers, ids: torch.Tensor, positions: torch.Tensor, mask: torch.Tensor
) -> tuple[torch.Tensor, Layers]:
    """Read ``ids`` (n, t) after ``past`` (n or 1 rows of p tokens): states (n, t, d) and the layers of all p + t.

    ``model``: a decoder without its language head. ``positions`` (n, t) int64: the place of each token in its prompt;
    ``mask`` (n, p + t) int64: 0 where there is padding. Every layer keeps all its keys, also one that attends to a
    window only (the model's own mask sees to that), so that rows may be shifted. ``past`` is left as it is.
    Raises ModelRefused when the model does not hand back keys and values for every layer.
    """
    cache = DynamicCache()
    for i, (keys, values) in enumerate(past):
        cache.update(keys, values, i)
    if past and len(past[0][0]) < len(ids):
        cache.batch_repeat_interleave(len(ids))
    output = model(input_ids=ids, position_ids=positions, attention_mask=mask, past_key_values=cache, use_cache=True)
    pairs = [(getattr(layer, "keys", None), getattr(layer, "values", None)) for layer in cache.layers]
    layers = tuple((k, v) for k, v in pairs if k is not None and v is not None and k.shape[2] == mask.shape[1])
    if not layers or len(layers) < len(pairs):
        raise ModelRefused(
            f"{type(model).__name__} keeps no plain keys and values for each layer, so its prompts cannot share a "
            "beginning; use a decoder of the usual kind"
        )
    return output.last_hidden_state, layers


def shift_right(layers: Layers, pads: torch.Tensor) -> Layers:
    """The last ``pads[i]`` places of row i moved to its front, so that what follows joins on without a gap."""
    length = layers[0][0].shape[2]
    index = (torch.arange(length, device=pads.device)[None, :] - pads[:, None]) % length
    return tuple((_taken(keys, index), _taken(values, index)) for keys, values in layers)


def _taken(states: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    wide = index[:, None, :, None].expand(-1, states.shape[1], -1, states.shape[3])
    return states.gather(2, wide)
