"""One copy of a transformers model on one device, reading token rows packed or padded."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel

from scoring.attempts import ITEM_ERRORS
from scoring.batching import bucket
from scoring.loading import quiet
from scoring.networks import Array
from scoring.packed import PACKED, Layout, laid_out, layout_in_force
from scoring.pooling import pool, pool_packed
from scoring.tokens import Tokenizer, Tokens

SAME = {torch.float32: 2e-3, torch.float16: 5e-2, torch.bfloat16: 5e-2}  # of an answer's length; see ``pack_if_same``
HEADS = ("cls", "mean")  # what classifier heads have been seen to read of the states


@dataclass(frozen=True, slots=True)
class Hidden:
    """The last hidden states of ``count`` rows: (n, t, d) with a mask, or (1, total, d) with a layout."""

    states: torch.Tensor
    mask: torch.Tensor | None
    layout: Layout | None
    count: int

    def pool(self, mode: str, skip: int = 0) -> torch.Tensor:
        """(count, d) float32 unit vectors, as ``scoring.pooling`` makes them."""
        if self.layout is not None:
            return pool_packed(self.states, self.layout, mode, skip)
        if self.mask is None:
            raise ValueError("padded states come with a mask")
        return pool(self.states, self.mask, mode, skip)[: self.count]


class TextModel:
    """Reads from any thread. ``few_shapes``: the model is compiled, and batches are padded to few lengths for it."""

    def __init__(
        self,
        module: PreTrainedModel,
        tokenizer: Tokenizer,
        device: torch.device,
        *,
        batch_tokens: int,
        few_shapes: bool = False,
    ) -> None:
        self.module, self.device = module, device
        self._tokenizer, self._batch_tokens, self._few_shapes = tokenizer, batch_tokens, few_shapes
        self.heads = ""  # one of HEADS when packed
        self._caught = threading.local()  # states on their way from the hook, to the thread that called the model
        base = module.base_model
        base.register_forward_hook(self._after_encoder)
        pooler = getattr(base, "pooler", None)
        if isinstance(pooler, torch.nn.Module):
            pooler.register_forward_pre_hook(self._before_pooler)
        if few_shapes:
            base.forward = torch.compile(base.forward, dynamic=False, mode="reduce-overhead")

    @property
    def packed(self) -> bool:
        return bool(self.heads)

    def width(self, length: int) -> int:
        """The tokens that a row of this length takes up in a padded batch."""
        return min(bucket(length), max(length, self._tokenizer.max_tokens)) if self._few_shapes else length

    def read(self, rows: Sequence[Tokens]) -> tuple[Any, Hidden]:
        """What the model returns, and its last hidden states. Call it in inference mode."""
        inputs, layout = self._inputs(rows)
        with laid_out(layout):
            output = self.module(**inputs)
        states = self._caught.states
        del self._caught.states
        return output, Hidden(states, inputs.get("attention_mask"), layout, len(rows))

    def _inputs(self, rows: Sequence[Tokens]) -> tuple[dict[str, torch.Tensor], Layout | None]:
        if self.packed:
            return self._tokenizer.pack(rows, self.device)
        if not self._few_shapes:
            return self._tokenizer.collate(rows, self.device), None
        width = self.width(max(len(row["input_ids"]) for row in rows))
        count = max(1, self._batch_tokens // width)
        return self._tokenizer.collate(rows, self.device, width=width, count=count), None

    def pack_if_same(
        self, answer: Callable[[Sequence[Tokens]], tuple[Array, ...]], probes: Sequence[Tokens], share: float
    ) -> bool:
        """Read packed from now on, if ``answer`` then says of the ``probes`` what it says of each alone.

        An answer may move by ``share`` of its length, as ``SAME`` has it for a precision: rounding moves it far less, a
        sequence that sees its neighbour or a wrong position far more.
        """
        module = self.module
        if self._few_shapes or not self._tokenizer.reads_positions or len(probes) < 2:
            return False
        expected = [answer([row]) for row in probes]
        before = module.config._attn_implementation
        for heads in HEADS:
            if _agree(self._packed_answer(heads, answer, probes), expected, share):
                return True
        self.pack_as(before, "")
        return False

    def pack_as(self, attention: str, heads: str) -> None:
        """Read packed, its heads being given ``heads`` of the states; "" for padded batches."""
        with quiet():
            self.module.set_attn_implementation(attention)
        self.heads = heads

    def _packed_answer(
        self, heads: str, answer: Callable[[Sequence[Tokens]], tuple[Array, ...]], probes: Sequence[Tokens]
    ) -> tuple[Array, ...]:
        """Nothing where the model cannot be packed so."""
        try:
            self.pack_as(PACKED, heads)
            return answer(probes)
        except ITEM_ERRORS:
            return ()

    def _before_pooler(self, _module: torch.nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
        layout = layout_in_force()
        return None if layout is None else (self._for_heads(inputs[0], layout), *inputs[1:])

    def _after_encoder(self, _module: torch.nn.Module, _inputs: object, output: Any) -> Any:
        self._caught.states = states = output[0]
        layout = layout_in_force()
        if layout is None:
            return None
        seen = self._for_heads(states, layout)
        if isinstance(output, tuple):
            return (seen, *output[1:])
        output["last_hidden_state"] = seen
        return output

    def _for_heads(self, states: torch.Tensor, layout: Layout) -> torch.Tensor:
        """(n, 1, d): each sequence as if it had one token, the one that the heads above would make of it."""
        if self.heads == "cls":
            return states[0, layout.bounds[:-1].long()].unsqueeze(1)
        flat = states.squeeze(0).float()
        lengths = layout.bounds.long().diff()
        means = torch.segment_reduce(flat, "mean", lengths=lengths, axis=0, unsafe=True)
        return means.to(states.dtype).unsqueeze(1)


def _agree(found: Sequence[Array], expected: Sequence[tuple[Array, ...]], share: float) -> bool:
    """Whether each row lies within ``share`` of its own expected length."""
    if not found:
        return False
    for column, array in enumerate(found):
        wanted = np.concatenate([answer[column] for answer in expected]).astype(np.float32)
        if array.shape != wanted.shape or not np.isfinite(array).all():
            return False
        gaps = np.linalg.norm(array.astype(np.float32) - wanted, axis=1)
        if (gaps > share * np.linalg.norm(wanted, axis=1)).any():
            return False
    return True
