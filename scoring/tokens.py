"""Texts to token rows and token rows to padded tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import signature
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedModel
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from scoring.errors import ModelRefused
from scoring.loading import load_tokenizer
from scoring.model_files import read_json

Tokens = Mapping[str, Sequence[int]]  # one text: "input_ids", and "token_type_ids" where the model reads them
FALLBACK_TOKENS = 512  # for a model that names no limit at all


class Tokenizer:
    """A model's tokenizer, cutting every text to ``max_tokens`` (special tokens included)."""

    def __init__(self, folder: Path, model: PreTrainedModel, max_tokens: int | None = None) -> None:
        """``max_tokens`` None: the most the model was made for. Raises ValueError when it is beyond that."""
        self._tokenizer = load_tokenizer(folder)
        most = _most_tokens(folder, model, self._tokenizer)
        self.max_tokens = most if max_tokens is None else max_tokens
        if not 3 <= self.max_tokens <= most:
            raise ValueError(f"max_tokens must lie in 3..{most} for {folder.name}, not {max_tokens}")
        reads = signature(model.forward).parameters
        self._types = "token_type_ids" in reads and "token_type_ids" in self._tokenizer.model_input_names
        self._pads = {"input_ids": self._tokenizer.pad_token_id or 0, "token_type_ids": 0}
        table = model.get_input_embeddings()
        if isinstance(table, torch.nn.Embedding) and table.num_embeddings < len(self._tokenizer):
            raise ModelRefused(
                f"{folder}: the tokenizer has {len(self._tokenizer)} tokens but the model only {table.num_embeddings}"
            )
        self.rows(["set the truncation now, so that later calls change nothing and may run side by side"])

    def rows(self, texts: list[str]) -> list[Tokens]:
        """One row a text, in order, unpadded."""
        found = self._tokenizer(
            texts,
            truncation=True,
            max_length=self.max_tokens,
            return_attention_mask=False,
            return_token_type_ids=self._types,
        )
        keys = [key for key in ("input_ids", "token_type_ids") if key in found]
        return [dict(zip(keys, row, strict=True)) for row in zip(*(found[key] for key in keys), strict=True)]

    def collate(self, rows: Sequence[Tokens], device: torch.device) -> dict[str, torch.Tensor]:
        """Rows padded on the right to the longest, with the attention mask: (n, longest) int64 each."""
        lengths = np.array([len(row["input_ids"]) for row in rows])
        mask = np.arange(lengths.max())[None, :] < lengths[:, None]
        tensors = {"attention_mask": torch.from_numpy(mask.astype(np.int64))}
        for key in rows[0]:
            padded = np.full(mask.shape, self._pads[key], np.int64)
            padded[mask] = np.concatenate([np.asarray(row[key], np.int64) for row in rows])
            tensors[key] = torch.from_numpy(padded)
        return {key: tensor.to(device) for key, tensor in tensors.items()}


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
            offset = 0 if module.padding_idx is None else module.padding_idx + 1
            return module.num_embeddings - offset
    return int(getattr(model.config, "max_position_embeddings", 10**9) or 10**9)
