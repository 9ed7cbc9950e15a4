"""A causal language model as a scorer: it reads a policy and a text, and its next token is the verdict."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from inspect import signature
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

from scoring.base import Note, Progress, Scores
from scoring.device import BATCH_TOKENS, resolve_device
from scoring.engine import run
from scoring.errors import ModelRefused
from scoring.guard_prompts import STYLES
from scoring.guard_tokens import GuardTokenizer
from scoring.loading import load_model
from scoring.model_files import VERSION_LENGTH, fingerprint, locate
from scoring.pooling import pool
from scoring.prefix_cache import Layers, PrefixCache, bytes_of, extend, shift_right
from scoring.tokens import Tokens

MAX_TOKENS = 2048  # of one text, where nothing else is asked; models take 8,192 to 131,072 for the whole prompt
CACHE_BYTES = 2**30  # of keys and values: once for the kept prefixes, once for a batch
TOLERANCE, HALF_TOLERANCE = 1e-3, 0.5  # of a logit, against the model's own forward pass, in float32 and in half
PROBES = ("fox", "a text of some more words, so that there is padding beside it")


class GuardLLM:
    """A ``Scorer`` that needs no training: a policy's own text is put to the model, one policy at a time.

    P(violates) is the softmax over the logits of the two answer tokens of the style where the answer begins, so it
    says nothing of how sure the model is to answer at all, and it is not calibrated. What stands before the text is
    read once per policy and its keys and values are reused by all items; where a style puts the text first, what was
    read of the text is reused by all policies. Embeddings: mean of the last hidden states over the text's tokens,
    as unit vectors; where the policy stands first that is the text *as read under the first policy*.
    A text beyond ``max_tokens`` is cut in its middle, with a note; policies and questions never are. A policy has no
    influence on the scores under the others.
    """

    def __init__(
        self,
        model: str | Path,
        policies: Mapping[str, str],
        *,
        style: str = "generic",
        revision: str | None = None,
        device: str = "auto",
        batch_tokens: int | None = None,
        max_tokens: int | None = None,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        """``policies``: policy id -> its text; ``style``: a key of ``STYLES``; ``revision``: the commit of a hub id.

        ``batch_tokens``: padded tokens that are read in one pass, kept prefixes not counted; ``max_tokens``: of one
        text (None: ``MAX_TOKENS``); ``cache_bytes``: bound on the kept prefixes, and once more on the keys and values
        of a batch. One item is always read, whatever the bounds.
        Raises ModelNotFound, ModelRefused, DeviceError, ValueError.
        """
        if style not in STYLES:
            raise ValueError(f"style {style!r} is unknown; use one of {', '.join(STYLES)}")
        if not policies:
            raise ValueError("a guard model needs at least one policy to judge by")
        self._prefixes = PrefixCache(self._read_prefix, cache_bytes)
        folder = locate(model, revision)
        self.name = Path(str(model)).name
        self.policies = tuple(policies)
        self.style = STYLES[style]
        self.device = resolve_device(device)
        self.batch_tokens = batch_tokens or BATCH_TOKENS[self.device.type]
        self.module = load_model(AutoModelForCausalLM, folder, self.device)
        self._decoder: torch.nn.Module = self.module.base_model
        self._head = _head(self.module, folder)
        self.max_tokens = MAX_TOKENS if max_tokens is None else max_tokens
        self._tokenizer = GuardTokenizer(
            folder, self.style, policies, max_tokens=self.max_tokens, context=_context(self.module)
        )
        self._prompts = self._tokenizer.prompts
        if self._tokenizer.vocabulary > self._head.out_features:
            raise ModelRefused(
                f"{folder}: the tokenizer has {self._tokenizer.vocabulary} tokens but the model only "
                f"{self._head.out_features}"
            )
        self._lock = Lock()  # the kept prefixes change while a batch is read
        self._token_bytes = self._check(folder)
        self.embedding_version, self.version = self._versions(folder, style)

    @property
    def columns(self) -> tuple[tuple[int, type[np.generic]], ...]:
        return ((len(self.policies), np.float32), (int(self._head.in_features), np.float16))

    def score(self, ids: Sequence[str], texts: Sequence[str], progress: Progress | None = None) -> Scores:
        """As ``Scorer.score``; a text of which not everything was read has a note."""
        call = _Call(self, self._tokenizer)
        result = run(call, ids, texts, progress)
        scored = set(result.ids)
        notes = tuple(
            Note(item, f"{call.left_out[text]} tokens in the middle of the text were not read")
            for item, text in zip(ids, texts, strict=True)
            if item in scored and text in call.left_out
        )
        return Scores(result.ids, self.policies, result.arrays[0], result.arrays[1], result.failures, notes)

    def forward(self, rows: Sequence[Tokens]) -> tuple[npt.NDArray[Any], ...]:
        """Rows of text tokens to P(violates) (n, k) float32 and embeddings (n, d) float16."""
        with self._lock, torch.inference_mode():
            parts = [self._judge([list(row["input_ids"]) for row in part]) for part in self._parts(rows)]
        logits, vectors = (torch.cat(column) for column in zip(*parts, strict=True))
        shares = logits.softmax(dim=-1)[..., 0]
        return shares.cpu().numpy(), vectors.cpu().numpy().astype(np.float16)

    def _judge(self, texts: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits of the two answers (n, k, 2) float32 and embeddings (n, d) float32."""
        return self._text_first(texts) if self.style.text_first else self._policy_first(texts)

    def _policy_first(self, texts: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
        """Each policy's kept prefix, then text and question in one pass."""
        lengths = torch.tensor([len(text) for text in texts], device=self.device)
        places = torch.arange(len(texts), device=self.device)
        answers, vectors = [], torch.empty(0)
        for number, prompt in enumerate(self._prompts):
            past = self._prefixes.get(prompt.before)
            states = self._read(past, [[*text, *prompt.after] for text in texts])[0]
            answers.append(self._logits(states[places, lengths + len(prompt.after) - 1]))
            if number == 0:
                vectors = _mean(states, lengths)
        return torch.stack(answers, dim=1), vectors

    def _text_first(self, texts: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
        """The kept beginning and the text once, then each policy and its question.

        Rows are shifted so that their padding stands in front: the policy joins on to the text without a gap, as it
        must for layers that attend to a window of places.
        """
        lengths = torch.tensor([len(text) for text in texts], device=self.device)
        states, layers = self._read(self._prefixes.get(self._prompts[0].before), texts)
        vectors = _mean(states, lengths)
        pads = lengths.max() - lengths
        layers = shift_right(layers, pads)
        answers = [
            self._logits(self._read(layers, [list(prompt.after)] * len(texts), pads)[0][:, -1])
            for prompt in self._prompts
        ]
        return torch.stack(answers, dim=1), vectors

    def _read(
        self, past: Layers, rows: list[list[int]], pads: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, Layers]:
        """Rows, padded on the right, after ``past``, whose first ``pads[i]`` places are padding."""
        lengths = torch.tensor([len(row) for row in rows])
        width, done = int(lengths.max()), past[0][0].shape[2] if past else 0
        ids = torch.zeros((len(rows), width), dtype=torch.int64)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = torch.tensor(row)
        shift = torch.zeros(len(rows), dtype=torch.int64) if pads is None else pads.cpu()
        places = torch.arange(done + width)[None, :]
        mask = (places >= shift[:, None]) & (places < done + lengths[:, None])
        positions = places[:, done:] - shift[:, None]
        inputs = (ids.to(self.device), positions.to(self.device), mask.long().to(self.device))
        return extend(self._decoder, past, *inputs)

    def _read_prefix(self, ids: tuple[int, ...]) -> Layers:
        return self._read((), [list(ids)])[1]

    def _logits(self, states: torch.Tensor) -> torch.Tensor:
        """(n, d) states to (n, 2) float32 logits of the two answers only: a vocabulary takes far more memory."""
        chosen = list(self._tokenizer.answers)
        bias = None if self._head.bias is None else self._head.bias[chosen].float()
        logits = torch.nn.functional.linear(states.float(), self._head.weight[chosen].float(), bias)
        cap = getattr(self.module.config.get_text_config(), "final_logit_softcapping", None)
        return cap * torch.tanh(logits / cap) if cap else logits

    def _parts(self, rows: Sequence[Tokens]) -> Iterator[Sequence[Tokens]]:
        """``rows`` in runs within ``batch_tokens`` and ``cache_bytes``, of which prefixes and questions take a part."""
        text = max(len(row["input_ids"]) for row in rows)
        after = max(len(prompt.after) for prompt in self._prompts)
        whole = text + max(len(prompt.before) + len(prompt.after) for prompt in self._prompts)
        copies = 2 if self.style.text_first else 1  # what was read of the texts, and what each policy adds to it
        read = max(text, after) if self.style.text_first else text + after
        size = max(
            1, min(self.batch_tokens // read, self._prefixes.limit_bytes // (whole * self._token_bytes * copies))
        )
        for start in range(0, len(rows), size):
            yield rows[start : start + size]

    def _check(self, folder: Path) -> int:
        """Refuse a model that answers otherwise after a kept prefix, or beside a longer text, than to the whole prompt.

        Such are models that keep no keys and values, or scale their logits in ways of their own. In half precision
        the two ways differ by rounding alone, so there only gross differences count.
        Returns the bytes of keys and values of one token.
        """
        kind, prompt = type(self.module).__name__, self._prompts[0]
        texts = [content.ids for content in self._tokenizer.contents(PROBES)]
        try:
            with torch.inference_mode():
                ours = self._judge(texts)[0][:, 0]
                theirs = torch.cat([self._whole([*prompt.before, *text, *prompt.after]) for text in texts])
                past = self._prefixes.get(prompt.before)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise ModelRefused(f"{folder}: {kind} cannot go on from a kept beginning of a prompt: {error}") from error
        tolerance = TOLERANCE if self.module.dtype == torch.float32 else HALF_TOLERANCE
        if not torch.allclose(ours, theirs, rtol=tolerance / 10, atol=tolerance):
            raise ModelRefused(
                f"{folder}: {kind} gives the answers {ours[0].tolist()} after a kept beginning, but "
                f"{theirs[0].tolist()} to the whole prompt; use another model"
            )
        return max(1, bytes_of(past) // len(prompt.before))

    def _whole(self, ids: list[int]) -> torch.Tensor:
        """(1, 2) float32 logits of the answers by the model's own forward pass, with nothing kept."""
        keep = {"logits_to_keep": 1} if "logits_to_keep" in signature(self.module.forward).parameters else {}
        logits = self.module(input_ids=torch.tensor([ids], device=self.device), **keep).logits
        answers: torch.Tensor = logits[:, -1, list(self._tokenizer.answers)].float()
        return answers

    def _versions(self, folder: Path, style: str) -> tuple[str, str]:
        """All that the embeddings depend on, and all that the scores depend on; prompts count by their tokens."""
        first = {
            "style": style,
            "before": self._prompts[0].before,
            "fences": self.style.fences,
            "max_tokens": self.max_tokens,
            "pooling": "text mean",
        }
        embedding = fingerprint(folder, first)
        prompts = [(prompt.before, prompt.after) for prompt in self._prompts]
        settings = json.dumps([embedding, self.policies, prompts, self._tokenizer.answers])
        return embedding, hashlib.sha256(settings.encode()).hexdigest()[:VERSION_LENGTH]


class _Call:
    """The ``Network`` of one call: it remembers what was left out of which text."""

    def __init__(self, scorer: GuardLLM, tokenizer: GuardTokenizer) -> None:
        self.left_out: dict[str, int] = {}
        self.device = scorer.device
        self.batch_tokens = scorer.batch_tokens
        self.columns = scorer.columns
        self.forward = scorer.forward
        self._tokenizer = tokenizer

    def tokenize(self, texts: list[str]) -> list[Tokens]:
        contents = self._tokenizer.contents(texts)
        self.left_out |= {
            text: content.left_out for text, content in zip(texts, contents, strict=True) if content.left_out
        }
        return [{"input_ids": content.ids} for content in contents]


def _head(module: PreTrainedModel, folder: Path) -> torch.nn.Linear:
    head = getattr(module, "lm_head", None)
    if module.base_model is module or not isinstance(head, torch.nn.Linear):
        raise ModelRefused(f"{folder}: {type(module).__name__} is not a decoder with a linear language head")
    return head


def _mean(states: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """(n, t, d) states to (n, d) unit vectors: the mean over the first ``lengths[i]`` places."""
    mask = torch.arange(states.shape[1], device=states.device)[None, :] < lengths[:, None]
    return pool(states, mask)


def _context(module: PreTrainedModel) -> int:
    """Places that the model has; those that name no limit are taken at their word."""
    return int(getattr(module.config.get_text_config(), "max_position_embeddings", None) or 10**9)
