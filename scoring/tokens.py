"""Texts to token rows, several for a long text, and token rows to padded or packed tensors."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from transformers import PreTrainedModel
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from scoring.device import to_device
from scoring.errors import ModelRefused
from scoring.framing import Frame, backend_of
from scoring.loading import load_tokenizer
from scoring.long_text import CHARS_PER_TOKEN, DOUBLINGS, MARGIN, LongText, rule_named, spans
from scoring.model_files import read_json
from scoring.packed import Layout, first_position, position_ids

Tokens = Mapping[str, Sequence[int]]  # one window: "input_ids", and "token_type_ids" where the model reads them
FALLBACK_TOKENS = 512  # for a model that names no limit at all


@dataclass(frozen=True, slots=True)
class Reading:
    """What is read of one text: one or more ``rows``, and a ``note`` where they are not simply all of it."""

    rows: tuple[Tokens, ...]
    note: str = ""


class Tokenizer:
    """A model's tokenizer. Calls change nothing in it, so they may run side by side."""

    def __init__(
        self,
        folder: Path,
        model: PreTrainedModel,
        max_tokens: int | None = None,
        *,
        long_text: str = "cut",
        prompt: str = "",
    ) -> None:
        """``max_tokens``: of a row, special tokens and ``prompt`` included (None: the most the model was made for);
        ``long_text``: "windows" or "cut"; ``prompt``: stands before every text, and again in every window of it.
        Raises ValueError for a ``max_tokens`` beyond the model or filled by the prompt, ModelRefused.
        """
        tokenizer = load_tokenizer(folder)
        most = _most_tokens(folder, model, tokenizer)
        self.max_tokens = most if max_tokens is None else max_tokens
        if not 3 <= self.max_tokens <= most:
            raise ValueError(f"max_tokens must lie in 3..{most} for {folder.name}, not {max_tokens}")
        table = model.get_input_embeddings()
        if isinstance(table, torch.nn.Embedding) and table.num_embeddings < len(tokenizer):
            raise ModelRefused(
                f"{folder}: the tokenizer has {len(tokenizer)} tokens but the model only {table.num_embeddings}"
            )
        self._backend = backend_of(folder, tokenizer)
        self.rule: LongText = rule_named(long_text)
        self.prompt = prompt
        self._frame = Frame.of(folder, self._backend)
        self._prompt_ids = self._backend.encode(prompt, add_special_tokens=False).ids if prompt else []
        self.prompt_tokens = len(self._frame.before) + len(self._prompt_ids) if prompt else 0
        self._size = self.max_tokens - self._frame.length - len(self._prompt_ids)
        if self._size < 1:
            raise ValueError(f"the prompt {prompt!r} leaves no room for a text in {self.max_tokens} tokens")
        reads = signature(model.forward).parameters
        self._types = "token_type_ids" in reads and "token_type_ids" in tokenizer.model_input_names
        self.reads_positions = "position_ids" in reads
        self._first_position = first_position(model)
        self._pads = {"input_ids": tokenizer.pad_token_id or 0, "token_type_ids": 0}

    def rows(self, texts: list[str]) -> list[Tokens]:
        """The first row of each text, in order, unpadded."""
        return [reading.rows[0] for reading in self.read(texts)]

    def read(self, texts: list[str]) -> list[Reading]:
        """One reading a text, in order. Of a text beyond all windows only the ends are tokenized."""
        most = CHARS_PER_TOKEN * self._size * self.rule.most
        short = [i for i, text in enumerate(texts) if len(text) <= most]
        whole = dict(zip(short, self._ids([self.prompt + texts[i] for i in short]), strict=True))
        return [self._whole(whole[i]) if i in whole else self._ends(text) for i, text in enumerate(texts)]

    def collate(
        self, rows: Sequence[Tokens], device: torch.device, *, width: int | None = None, count: int | None = None
    ) -> dict[str, torch.Tensor]:
        """Rows padded on the right to the longest, with the attention mask: (n, longest) int64 each.

        ``width`` and ``count`` ask for that many columns and rows at least; rows added are all padding but for one
        token, so that nothing divides by zero.
        """
        lengths = np.array([len(row["input_ids"]) for row in rows] + [1] * max(0, (count or 0) - len(rows)))
        mask = np.arange(max(lengths.max(), width or 0))[None, :] < lengths[:, None]
        arrays = {"attention_mask": mask.astype(np.int64)}
        for key in rows[0]:
            padded = np.full(mask.shape, self._pads[key], np.int64)
            padded[: len(rows)][mask[: len(rows)]] = _joined(rows, key)
            arrays[key] = padded
        return {key: to_device(torch.from_numpy(array), device) for key, array in arrays.items()}

    def pack(self, rows: Sequence[Tokens], device: torch.device) -> tuple[dict[str, torch.Tensor], Layout]:
        """Rows one after the other, with the position of each token: (1, total) int64 each, and where they lie."""
        layout = Layout(tuple(len(row["input_ids"]) for row in rows), device)
        tensors = {key: torch.from_numpy(_joined(rows, key)).unsqueeze(0) for key in rows[0]}
        tensors["position_ids"] = position_ids(layout.lengths, self._first_position)
        return {key: to_device(tensor, device) for key, tensor in tensors.items()}, layout

    def _ids(self, texts: list[str]) -> list[list[int]]:
        return [found.ids for found in self._backend.encode_batch_fast(texts, add_special_tokens=False)]

    def _whole(self, ids: list[int]) -> Reading:
        """``ids``: of the prompt and the whole text."""
        body = ids[len(self._prompt_ids) :]
        first = self._row(ids[: len(self._prompt_ids) + self._size])
        cuts = spans(len(body), self._size, self.rule)
        rows = (first, *(self._row(self._prompt_ids + body[start:stop]) for start, stop in cuts[1:]))
        left = len(body) - self.rule.most * self._size
        return Reading(rows, self.rule.note(self._size, len(rows), f"{left} tokens" if left > 0 else ""))

    def _ends(self, text: str) -> Reading:
        """A text so long that its middle is not looked at, unless its ends turn out to hold few tokens."""
        wanted = max(self.rule.head, self.rule.tail) * self._size + MARGIN
        slices: list[list[int]] = []
        chars = 0
        for doubling in range(DOUBLINGS + 1):
            chars = (CHARS_PER_TOKEN * wanted) << doubling
            ends = [self.prompt + text[:chars], *([text[-chars:]] if self.rule.tail else [])]
            if chars * len(ends) >= len(text):
                return self._whole(self._ids([self.prompt + text])[0])
            slices = self._ids(ends)
            if min(map(len, slices)) - len(self._prompt_ids) >= wanted:
                break
        return self._sliced(slices, len(text), chars)

    def _sliced(self, slices: list[list[int]], text_chars: int, chars: int) -> Reading:
        """``slices``: token ids of the text's first ``chars`` characters after the prompt, and of its last ones.

        Tokens next to a cut are left out, but for those of the first row.
        """
        size = self._size
        body = slices[0][len(self._prompt_ids) :]
        front = [body[:size], *_pieces(body[size : max(size, min(len(body) - MARGIN, self.rule.head * size))], size)]
        tail = slices[1] if self.rule.tail else []
        end = tail[max(MARGIN, len(tail) - self.rule.tail * size) :]
        rows = [
            slices[0][: len(self._prompt_ids) + size],
            *(self._prompt_ids + p for p in (*front[1:], *_pieces(end, size))),
        ]
        shares = (sum(map(len, front)) / max(1, len(body)), len(end) / max(1, len(tail)))
        unread = f"about {max(0, round(text_chars - chars * sum(shares)))} characters"
        return Reading(tuple(map(self._row, rows)), self.rule.note(size, len(rows), unread))

    def _row(self, ids: list[int]) -> Tokens:
        row = {"input_ids": array("i", [*self._frame.before, *ids, *self._frame.after])}
        if self._types:
            row["token_type_ids"] = array("i", self._frame.types(len(ids)))
        return row


def _pieces(ids: list[int], size: int) -> list[list[int]]:
    return [ids[i : i + size] for i in range(0, len(ids), size)]


def _joined(rows: Sequence[Tokens], key: str) -> npt.NDArray[np.int64]:
    """Rows hold arrays and not lists to make this a copy of memory: the device may be waiting for it."""
    return np.concatenate([np.asarray(row[key], np.intc) for row in rows], dtype=np.int64)


def _most_tokens(folder: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> int:
    named = read_json(folder / "sentence_bert_config.json", dict).get("max_seq_length")
    limits = [tokenizer.model_max_length, _positions(model)]
    if isinstance(named, int):
        limits.append(named)
    most = min(limits)
    return int(most) if most < 10**6 else FALLBACK_TOKENS


def _positions(model: PreTrainedModel) -> int:
    """How many positions the model has learned; RoBERTa's kin give away those up to the padding index."""
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, torch.nn.Embedding):
            return module.num_embeddings - first_position(model)
    return int(getattr(model.config, "max_position_embeddings", 10**9) or 10**9)
