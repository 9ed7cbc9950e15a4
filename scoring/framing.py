"""The special tokens that a tokenizer puts around a text, so that windows of a long text can be framed alike."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer as Backend
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from scoring.errors import ModelRefused

_PROBES = ("set", "a longer text")


def backend_of(folder: Path, tokenizer: PreTrainedTokenizerBase) -> Backend:
    """The fast tokenizer inside, set to cut and pad nothing. Raises ModelRefused where there is none."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if not isinstance(backend, Backend):
        raise ModelRefused(f"{folder} has no fast tokenizer; add its tokenizer.json")
    backend.no_truncation()
    backend.no_padding()
    return backend


@dataclass(frozen=True, slots=True)
class Frame:
    """The special tokens before and after a text, and the token types of all three parts."""

    before: list[int]
    after: list[int]
    before_types: list[int]
    inner_type: int
    after_types: list[int]

    @classmethod
    def of(cls, folder: Path, backend: Backend) -> Frame:
        """As the tokenizer frames two texts of its own. Raises ModelRefused where it does more than to frame."""
        frames = [cls._around(folder, backend, text) for text in _PROBES]
        if frames[0] != frames[1]:
            raise ModelRefused(f"{folder}: its tokenizer puts different special tokens around different texts")
        return frames[0]

    @classmethod
    def _around(cls, folder: Path, backend: Backend, text: str) -> Frame:
        bare, full = backend.encode(text, add_special_tokens=False).ids, backend.encode(text)
        ids, types, n = full.ids, full.type_ids, len(bare)
        start = next((i for i in range(len(ids) - n + 1) if ids[i : i + n] == bare), None)
        if start is None or len(set(types[start : start + n])) != 1:
            raise ModelRefused(f"{folder}: its tokenizer does more to a text than to put special tokens around it")
        stop = start + n
        return cls(ids[:start], ids[stop:], types[:start], types[start], types[stop:])

    @property
    def length(self) -> int:
        """How many special tokens a row has."""
        return len(self.before) + len(self.after)

    def types(self, inner: int) -> list[int]:
        """The token types of a row around ``inner`` tokens."""
        return [*self.before_types, *[self.inner_type] * inner, *self.after_types]
