"""Prompts of a guard model as token ids. Texts and policies are foreign matter: no control token comes from them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import tokenizers
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from scoring.errors import ModelRefused
from scoring.guard_prompts import POLICY, TEXT, Style
from scoring.loading import load_tokenizer

LEAST_TOKENS = 16  # of a text: less is no text
GAP = " [...] "  # stands for the middle of a text that is too long
FIXED_DATE = "26 Jul 2024"  # a template that writes today's date would give another score tomorrow
FIXED_DAY = (
    "{%- macro strftime_now(format) -%}{{ format|replace('%Y','2024')|replace('%m','07')|replace('%d','26')"
    "|replace('%b','Jul')|replace('%B','July') }}{%- endmacro %}"
)  # the same for templates that ask for the day; transformers takes no function as an argument


@dataclass(frozen=True, slots=True)
class Prompt:
    """One policy's prompt: the ids before the text and those after it, the answer being the next token."""

    before: tuple[int, ...]
    after: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Content:
    """The ids of a text, and how many of its tokens were left out of its middle."""

    ids: list[int]
    left_out: int = 0


class GuardTokenizer:
    """``prompts`` in the order of the policies; ``answers``: the ids of "violates" and "complies".

    Each part of a prompt is tokenized by itself: what the style or the chat template wrote with control tokens,
    policies and texts by a copy of the tokenizer that has none. A policy changes nothing in the prompts of others,
    nor in how much of a text they are shown.
    """

    def __init__(
        self, folder: Path, style: Style, policies: Mapping[str, str], *, max_tokens: int, context: int
    ) -> None:
        """``max_tokens``: of one text; ``context``: places that the model has for a whole prompt.

        Raises ValueError for fewer than ``LEAST_TOKENS``, ModelRefused when the tokenizer does not fit the style or a
        policy leaves no room for a text of ``max_tokens``.
        """
        if max_tokens < LEAST_TOKENS:
            raise ValueError(f"max_tokens must be at least {LEAST_TOKENS}, not {max_tokens}")
        self._folder = folder
        self._style = style
        self._full = load_tokenizer(folder)
        _require_controls(self._full, folder, style)
        self._plain, self._forbidden = _without_controls(self._full, folder, style)
        literals, self._lead = self._literals()
        self.answers = self._answers(literals[2])
        self.prompts = tuple(self._prompt(literals, name, text) for name, text in policies.items())
        self._gap = self._safe([GAP])[0]
        self.max_tokens = max_tokens
        self._require_room(list(policies), context)
        self.vocabulary = len(self._full)

    def contents(self, texts: Sequence[str]) -> list[Content]:
        """The texts as ids, their middle left out where they are longer than ``max_tokens``.

        Raises ValueError for a text without any token, or one that becomes a control token or a delimiter nevertheless.
        """
        rows = self._safe([self._lead + self._fenced(text) for text in texts])
        if not all(rows):
            raise ValueError("no token is left of the text")
        return [self._cut(row) for row in rows]

    def _cut(self, row: list[int]) -> Content:
        if len(row) <= self.max_tokens:
            return Content(row)
        kept = self.max_tokens - len(self._gap)
        head = (kept + 1) // 2
        return Content(row[:head] + self._gap + row[len(row) - (kept - head) :], len(row) - kept)

    def _fenced(self, text: str) -> str:
        """The text without delimiters, also in what the tokenizer's own normalization makes of it."""
        fenced = self._style.fenced(text)
        normalizer = self._plain.normalizer
        if normalizer is not None and self._style.fences:
            seen = normalizer.normalize_str(fenced).replace("▁", " ")
            if self._style.fenced(seen) != seen:
                raise ValueError("the tokenizer turns characters of it into a delimiter of the prompt")
        return fenced

    def _literals(self) -> tuple[tuple[str, str, str], str]:
        """What stands before, between and after the two slots, and a space that belongs to the text's first word."""
        whole = _in_chat(self._full, self._folder, self._style.body) if self._style.chat else self._style.body
        slots = (TEXT, POLICY) if self._style.text_first else (POLICY, TEXT)
        start, first, rest = whole.partition(slots[0])
        middle, second, end = rest.partition(slots[1])
        if not first or not second or TEXT in end or POLICY in end:
            raise ModelRefused(f"{self._folder}: its chat template does not repeat a user message once and unchanged")
        before_text = start if self._style.text_first else middle
        lead = " " if before_text.endswith(" ") else ""
        bare = before_text.removesuffix(" ")
        return ((bare, middle, end) if self._style.text_first else (start, bare, end)), lead

    def _prompt(self, literals: tuple[str, str, str], policy: str, text: str) -> Prompt:
        start, middle, end = (tuple(self._ids(part)) for part in literals)
        if not text.strip():
            raise ModelRefused(f"policy {policy!r} has no text to judge by; write what violates it")
        try:
            rule = tuple(self._safe([self._style.block(policy, self._fenced(text))])[0])
        except ValueError as error:
            raise ModelRefused(f"policy {policy!r} cannot be put into the prompt: {error}") from error
        if self._style.text_first:
            return Prompt(start, middle + rule + end)
        return Prompt(start + rule + middle, end)

    def _require_room(self, names: Sequence[str], context: int) -> None:
        sizes = [len(prompt.before) + len(prompt.after) for prompt in self.prompts]
        largest = max(range(len(sizes)), key=sizes.__getitem__)
        if sizes[largest] + self.max_tokens > context:
            raise ModelRefused(
                f"policy {names[largest]!r} takes {sizes[largest]} tokens with its prompt, so with "
                f"max_tokens={self.max_tokens} for the text it does not fit into the {context} that the model reads; "
                "lower max_tokens, or shorten the policy"
            )

    def _answers(self, end: str) -> tuple[int, int]:
        """The ids that follow ``end`` for the two words: as they join on to it, else bare, else after a space."""
        words = (self._style.violates, self._style.complies)
        stem = self._ids(end)
        joined = [self._ids(end + word) for word in words]
        variants = [
            [row[len(stem) :] if row[: len(stem)] == stem else [] for row in joined],
            [self._ids(word) for word in words],
            [self._ids(" " + word) for word in words],
        ]
        for first, second in variants:
            if len(first) == len(second) == 1 and first != second and self._full.unk_token_id not in first + second:
                return first[0], second[0]
        raise ModelRefused(
            f"{self._folder}: {words[0]!r} and {words[1]!r} are not one token each in its vocabulary, so they cannot "
            "be the answers; use another style or model"
        )

    def _ids(self, text: str) -> list[int]:
        """Control tokens as such: only for what no foreigner wrote."""
        found = self._full(text, add_special_tokens=False, split_special_tokens=False, verbose=False)["input_ids"]
        return [int(token) for token in found]

    def _safe(self, texts: Sequence[str]) -> list[list[int]]:
        rows = [row.ids for row in self._plain.encode_batch(list(texts), add_special_tokens=False)]
        for row in rows:
            bad = self._forbidden.intersection(row)
            if bad:
                names = ", ".join(str(self._full.convert_ids_to_tokens(token)) for token in sorted(bad))
                raise ValueError(f"it would put the control token {names} into the prompt")
        return rows


def _in_chat(tokenizer: PreTrainedTokenizerBase, folder: Path, body: str) -> str:
    """The prompt by the model's own template, up to where its answer begins; "thinking" is switched off."""
    if not tokenizer.chat_template:
        raise ModelRefused(f"{folder} has no chat template; use an instruction-tuned model, or the style made for it")
    try:
        text = tokenizer.apply_chat_template(
            [{"role": "user", "content": body}],
            chat_template=FIXED_DAY + str(tokenizer.get_chat_template()),
            tokenize=False,
            add_generation_prompt=True,
            enable_thinking=False,
            date_string=FIXED_DATE,
        )
    except (jinja2.TemplateError, LookupError, TypeError, ValueError) as error:
        raise ModelRefused(f"{folder}: its chat template fails on one user message: {error}") from error
    return str(text)


def _require_controls(tokenizer: PreTrainedTokenizerBase, folder: Path, style: Style) -> None:
    missing = [name for name in style.controls if name not in tokenizer.get_added_vocab()]
    if missing:
        raise ModelRefused(
            f"{folder}: its tokenizer has no control token {', '.join(missing)}; use the style made for it"
        )


def _without_controls(
    tokenizer: PreTrainedTokenizerBase, folder: Path, style: Style
) -> tuple[tokenizers.Tokenizer, frozenset[int]]:
    """A copy that knows no added token but runs of white space, and the ids that must never come out of it.

    Switching special tokens off is not enough: many vocabularies hold control tokens that are not marked as special.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if not isinstance(backend, tokenizers.Tokenizer):
        raise ModelRefused(f"{folder} has no fast tokenizer (tokenizer.json), which keeps control tokens out of texts")
    state: dict[str, Any] = json.loads(backend.to_str())
    added = state["added_tokens"]
    spaces = [token for token in added if not token["content"].replace("▁", " ").strip()]
    state["post_processor"] = state["truncation"] = state["padding"] = None
    plain = _with_added(state, spaces)
    if any(plain.token_to_id(token["content"]) != token["id"] for token in spaces):
        # ids beyond the vocabulary are given out by rank, and the rank has changed: perhaps to that of a control token
        bare = _with_added(state, [])
        plain = _with_added(state, [token for token in spaces if bare.token_to_id(token["content"]) == token["id"]])
    control = {token["id"] for token in added if token["special"] or token["content"] in style.controls}
    return plain, frozenset(control - {tokenizer.unk_token_id})


def _with_added(state: Mapping[str, Any], added: Sequence[Mapping[str, Any]]) -> tokenizers.Tokenizer:
    return tokenizers.Tokenizer.from_str(json.dumps({**state, "added_tokens": added}))
