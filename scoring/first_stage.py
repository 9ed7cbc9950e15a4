"""The first stage of a cascade: a small network over static token embeddings that guesses the full scorer's logits.

Token vectors, one convolution over neighbours, maximum and mean over the text, one hidden layer (after Kim 2014,
"Convolutional neural networks for sentence classification"), and beside it a vote of each token and of each pair of
neighbours, as a linear model has it. Plain numpy: reading a text costs little more than tokenizing it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from scoring.model_files import VERSION_LENGTH

F32 = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
WINDOW = 3  # tokens under the convolution
CHARS_PER_TOKEN = 16  # a text longer than this many characters a token is not even tokenized
WINDOW_TEXTS = 8192  # texts that are sorted by length together
BATCH_TOKENS = 1024  # few enough that the arrays stay in the processor's cache
TENSORS = ("tokens", "votes", "pairs", "kernel", "kernel_bias", "hidden", "hidden_bias", "output", "output_bias")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a stage made of n texts: guessed ``logits`` (n, k); ``whole`` (n,): False for what is no text, is empty or
    too long, and its logits are 0."""

    logits: F32
    whole: Bool


@dataclass(frozen=True)
class FirstStage:
    """k policies, v tokens of d dimensions, p places for pairs, f filters, h hidden units.

    ``tensors``, all float32 and finite: ``tokens`` (v, d), ``votes`` (v, k), ``pairs`` (p, k), ``kernel`` (3, d, f),
    ``kernel_bias`` (f,), ``hidden`` (d + 2 f, h), ``hidden_bias`` (h,), ``output`` (h, k), ``output_bias`` (k,).
    ``tokenizer`` is the JSON of a tokenizer with at most v tokens. A text of more than ``max_tokens`` tokens is not
    read. Raises ValueError for anything else.
    """

    policies: tuple[str, ...]
    tokenizer: str
    tensors: Mapping[str, F32] = field(repr=False)
    max_tokens: int = 256

    def __post_init__(self) -> None:
        k = len(self.policies)
        if not k or len(set(self.policies)) != k or not all(self.policies):
            raise ValueError("policies must be named, at least one, each once")
        if self.max_tokens < 1:
            raise ValueError(f"max_tokens must be at least 1, not {self.max_tokens}")
        _check_shapes(self.tensors, k)
        if self.backend.get_vocab_size() > len(self.tensors["tokens"]):
            raise ValueError(f"the tokenizer has {self.backend.get_vocab_size()} tokens, more than there are vectors")

    @cached_property
    def backend(self) -> Tokenizer:
        """The tokenizer, cutting what is too long after one token more than is read."""
        backend = Tokenizer.from_buffer(self.tokenizer.encode())  # from_str would raise a bare Exception
        backend.no_padding()
        backend.enable_truncation(self.max_tokens + 1)
        return backend

    @cached_property
    def version(self) -> str:
        """A short SHA-256 over all that shapes an answer."""
        digest = hashlib.sha256(json.dumps([self.policies, self.tokenizer, self.max_tokens]).encode())
        for name in TENSORS:
            digest.update(self.tensors[name].astype("<f4").tobytes())
        return digest.hexdigest()[:VERSION_LENGTH]

    def read(self, texts: Sequence[str]) -> Reading:
        """One row a text. A guess depends on its own text only, but for the rounding of float32."""
        logits = np.zeros((len(texts), len(self.policies)), np.float32)
        whole = np.array([self._readable(text) for text in texts], np.bool_)
        readable = np.flatnonzero(whole)
        for start in range(0, len(readable), WINDOW_TEXTS):
            part = readable[start : start + WINDOW_TEXTS]
            rows = self.token_ids([texts[i] for i in part])
            lengths = np.array([len(row) for row in rows])
            whole[part] = (lengths > 0) & (lengths <= self.max_tokens)
            for length in np.unique(lengths[whole[part]]).tolist():
                for same in _pieces(np.flatnonzero(lengths == length), max(1, BATCH_TOKENS // length)):
                    logits[part[same]] = self._forward(np.array([rows[i] for i in same]))
        return Reading(logits, whole)

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """One row of token ids a text, at most ``max_tokens`` + 1 of them."""
        return [found.ids for found in self.backend.encode_batch_fast(list(texts), add_special_tokens=False)]

    def _readable(self, text: object) -> bool:
        if not isinstance(text, str) or not 0 < len(text) <= self.max_tokens * CHARS_PER_TOKEN or text.isspace():
            return False
        return text.isascii() or _is_unicode(text)

    def _forward(self, ids: npt.NDArray[np.int64]) -> F32:
        """(n, t) token ids of texts of one length, so that nothing is padded, to (n, k)."""
        t = self.tensors
        (n, length), (_, d, f) = ids.shape, t["kernel"].shape
        vectors = np.zeros((n, length + 2, d), np.float32)  # a zero vector before the first token and after the last
        vectors[:, 1:-1] = t["tokens"][ids]
        products = (vectors.reshape(-1, d) @ self._kernels).reshape(n, length + 2, WINDOW * f)
        filters = products[:, :length, :f] + t["kernel_bias"]
        filters += products[:, 1:-1, f : 2 * f]
        filters += products[:, 2:, 2 * f :]
        np.maximum(filters, 0, out=filters)
        root = np.float32(np.sqrt(length))
        features = np.concatenate([vectors.sum(axis=1) / root, filters.max(axis=1), filters.mean(axis=1)], axis=1)
        inner = np.maximum(features @ t["hidden"] + t["hidden_bias"], 0)
        pairs = t["pairs"][pair_places(ids[:, :-1], ids[:, 1:], len(t["pairs"]))]
        answers = inner @ t["output"] + t["output_bias"] + (t["votes"][ids].sum(axis=1) + pairs.sum(axis=1)) / root
        return np.asarray(answers, np.float32)

    @cached_property
    def _kernels(self) -> F32:
        """(d, 3 f): the kernel's three places side by side, so that one product does for all."""
        return np.ascontiguousarray(np.concatenate(list(self.tensors["kernel"]), axis=1))


def pair_places(first: npt.NDArray[np.int64], second: npt.NDArray[np.int64], places: int) -> npt.NDArray[np.int64]:
    """The place, 0 to ``places`` - 1, of each pair of neighbouring tokens: a hash, so that some share one."""
    return np.asarray(((first * 1_000_003) ^ (second * 7_919)) % places, np.int64)


def _pieces(rows: npt.NDArray[np.int64], size: int) -> list[npt.NDArray[np.int64]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair
        return False
    return True


def _check_shapes(tensors: Mapping[str, npt.NDArray[Any]], k: int) -> None:
    if set(tensors) != set(TENSORS):
        raise ValueError(f"tensors must be {', '.join(TENSORS)}, not {', '.join(sorted(tensors))}")
    if tensors["tokens"].ndim != 2 or tensors["kernel"].ndim != 3 or tensors["hidden"].ndim != 2:
        raise ValueError("tokens and hidden must have two dimensions, kernel three")
    (v, d), f, h = tensors["tokens"].shape, tensors["kernel"].shape[2], tensors["hidden"].shape[1]
    places = len(tensors["pairs"]) if tensors["pairs"].ndim else 0
    shapes = ((v, d), (v, k), (places, k), (WINDOW, d, f), (f,), (d + 2 * f, h), (h,), (h, k), (k,))
    for name, shape in zip(TENSORS, shapes, strict=True):
        array = tensors[name]
        if array.dtype != np.float32 or array.shape != shape or 0 in shape:
            raise ValueError(f"{name} must be float32 of shape {shape}, not {array.dtype} of {array.shape}")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} must be finite")
