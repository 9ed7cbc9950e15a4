"""Several sequences in one row without padding, each attending to itself only.

Done through transformers' attention interface: a model whose attention is ``PACKED`` sees its own sequences while a
``Layout`` is in force on the thread, and works as usual otherwise. On CUDA in half precision the kernel is
``torch.nn.attention.varlen``'s; elsewhere each run of sequences alike in length is one call of torch's own attention.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, groupby
from typing import Any

import torch
from torch.nn.attention.varlen import varlen_attn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

PACKED = "goldfold_packed"
_HALF = (torch.bfloat16, torch.float16)
_UNKNOWN = ("position_bias", "softcap", "s_aux", "cache")  # what some attentions add, and this one does not


@dataclass(frozen=True)
class Layout:
    """Where each sequence lies in a row of ``sum(lengths)`` tokens."""

    lengths: tuple[int, ...]
    device: torch.device

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """The place of each sequence's first token, and one past the last of all: n + 1 numbers."""
        return tuple(accumulate(self.lengths, initial=0))

    @cached_property
    def bounds(self) -> torch.Tensor:
        """``starts`` on the device, int32."""
        host = torch.tensor(self.starts, dtype=torch.int32)
        if self.device.type == "cuda":
            host = host.pin_memory()
        return host.to(self.device, non_blocking=True)

    @cached_property
    def runs(self) -> tuple[tuple[int, int, int], ...]:
        """(first token, sequences, length) of neighbours of the same length."""
        found, start = [], 0
        for length, alike in groupby(self.lengths):
            count = len(list(alike))
            found.append((start, count, length))
            start += count * length
        return tuple(found)


_LAYOUT: ContextVar[Layout | None] = ContextVar("layout", default=None)


def layout_in_force() -> Layout | None:
    """The layout of the row that the model on this thread is reading; None for padded batches."""
    return _LAYOUT.get()


@contextmanager
def laid_out(layout: Layout | None) -> Iterator[None]:
    """Let ``layout`` be in force on this thread."""
    token = _LAYOUT.set(layout)
    try:
        yield
    finally:
        _LAYOUT.reset(token)


def position_ids(lengths: Sequence[int], first: int) -> torch.Tensor:
    """(1, total) int64: ``first``, ``first`` + 1, ... anew in each sequence."""
    total = torch.arange(sum(lengths))
    begun = torch.repeat_interleave(torch.tensor([0, *accumulate(lengths)][:-1]), torch.tensor(list(lengths)))
    return (total - begun + first).unsqueeze(0)


def first_position(model: PreTrainedModel) -> int:
    """The position of a sequence's first token: 0, but padding index + 1 for RoBERTa and its kin."""
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, torch.nn.Embedding):
            return 0 if module.padding_idx is None else module.padding_idx + 1
    return 0


def packed_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **settings: Any,
) -> tuple[torch.Tensor, None]:
    """An attention function as transformers wants it: (1, heads, t, d) each in, (1, t, heads, d) out."""
    layout = _LAYOUT.get()
    if layout is None:
        output, _none = sdpa_attention_forward(module, query, key, value, attention_mask, **settings)
        return output, None
    strange = [name for name in _UNKNOWN if settings.get(name) is not None]
    if strange or settings.get("dropout"):
        raise RuntimeError(f"this attention cannot be packed, it has {', '.join(strange) or 'dropout'}")
    causal = settings.get("is_causal")
    shape = _Shape(
        scale=settings.get("scaling"),
        causal=bool(getattr(module, "is_causal", True) if causal is None else causal),
        reach=settings.get("sliding_window"),
    )
    attend = _on_cuda if query.is_cuda and query.dtype in _HALF else _by_runs
    tokens = [tensor.squeeze(0).transpose(0, 1) for tensor in (query, key, value)]
    return attend(tokens, layout, shape).unsqueeze(0), None


@dataclass(frozen=True, slots=True)
class _Shape:
    """``reach``: how many tokens to either side are seen, itself included; None for all."""

    scale: float | None
    causal: bool
    reach: int | None


def _on_cuda(tokens: Sequence[torch.Tensor], layout: Layout, shape: _Shape) -> torch.Tensor:
    query, key, value = tokens
    longest = max(layout.lengths)
    side = -1 if shape.reach is None else shape.reach - 1
    window = (side, 0 if shape.causal else side)
    asked: dict[str, Any] = {  # only what is not the default: not every torch knows every setting
        **({} if shape.scale in (None, query.shape[-1] ** -0.5) else {"scale": shape.scale}),
        **({} if window == (-1, -1) else {"window_size": window}),
        **({} if query.shape[1] == key.shape[1] else {"enable_gqa": True}),
    }
    states = (query.contiguous(), key.contiguous(), value.contiguous())
    found: Any = varlen_attn(*states, layout.bounds, layout.bounds, longest, longest, **asked)
    return torch.as_tensor(found)


def _by_runs(tokens: Sequence[torch.Tensor], layout: Layout, shape: _Shape) -> torch.Tensor:
    query, key, value = tokens
    output = value.new_empty((query.shape[0], query.shape[1], value.shape[2]))
    for run in layout.runs:
        band = _band(run[2], shape, query.device)
        found = scaled_dot_product_attention(
            _sequences(query, run),
            _sequences(key, run),
            _sequences(value, run),
            attn_mask=band,
            scale=shape.scale,
            is_causal=shape.causal and band is None,
            enable_gqa=query.shape[1] != key.shape[1],
        )
        _sequences(output, run).copy_(found)
    return output


def _sequences(tokens: torch.Tensor, run: tuple[int, int, int]) -> torch.Tensor:
    """(t, heads, d) to the (n, heads, length, d) view of a run's sequences."""
    start, count, length = run
    part = tokens.narrow(0, start, count * length)
    return part.view(count, length, *part.shape[1:]).transpose(1, 2)


def _band(length: int, shape: _Shape, device: torch.device) -> torch.Tensor | None:
    """(length, length) bool, True where a token (row) sees another; None where no window narrows the view."""
    if shape.reach is None or length <= shape.reach:
        return None
    places = torch.arange(length, device=device)
    ahead = places[None, :] - places[:, None]
    seen = ahead.abs() < shape.reach
    return seen & (ahead <= 0) if shape.causal else seen


def _packed_mask(**wanted: Any) -> Any:
    """No mask while a layout is in force, since the attention itself keeps sequences apart."""
    return None if _LAYOUT.get() is not None else sdpa_mask(**wanted)


AttentionInterface.register(PACKED, packed_attention)
AttentionMaskInterface.register(PACKED, _packed_mask)
