"""A text's bones: what is left when the tricks that make a copy look new are undone.

Undone: Unicode compatibility forms, case, runs of white space, invisible characters (zero-width, soft hyphen,
direction marks, variation selectors, tags), pictographs used as padding, and Cyrillic or Greek letters that look Latin.
Not undone: misspelling, leetspeak, accents, translation. Embeddings are there for those.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

_CYRILLIC = zip("авеѕіјкмнорстуԁѡхһԛԝ", "abesijkmhopctydwxhqw", strict=True)
_GREEK = zip("αβγεηικνορτυχωϲϳ", "abyenikvoptuxwcj", strict=True)  # by their small letters
_LATIN = zip("ıɡɑ", "iga", strict=True)
_LOOKALIKES = str.maketrans({**dict(_CYRILLIC), **dict(_GREEK), **dict(_LATIN)})
_INVISIBLE = {"Cf", "Cc", "Co", "Cn"}
_PICTURES = {"So", "Sk"}  # symbols and skin tones
_SELECTORS = {chr(code) for code in range(0xFE00, 0xFE10)} | {"\u034f", "\u115f", "\u1160", "\u3164", "\u20e3"}
_ROUNDS = 8  # each step may uncover work for an earlier one; two rounds do for anything seen
_ASCII_LETTERS = {code: chr(code).lower() if chr(code).isalnum() else None for code in range(128)}


class _Table(dict[int, str]):
    """For str.translate: drops what ``dropped`` says, and remembers the answer for each character."""

    def __init__(self, dropped: Callable[[str], bool]) -> None:
        super().__init__()
        self._dropped = dropped

    def __missing__(self, code: int) -> str:
        character = chr(code)
        self[code] = "" if self._dropped(character) else character
        return self[code]


def bones(text: str) -> str:
    """The comparable form of a text. Applying it twice changes nothing more."""
    for _ in range(_ROUNDS):
        stripped = _stripped(text)
        if stripped == text or stripped.isascii():
            return stripped
        text = stripped
    return text


def letters(text: str) -> str:
    """The bones without spaces, punctuation and symbols: letters, marks and digits alone, so that a copy that is
    spaced or punctuated otherwise is the same. A text that has none of them keeps its other signs."""
    if text.isascii():
        return text.translate(_ASCII_LETTERS) or "".join(bones(text).split())
    seen = bones(text)
    return seen.translate(_LETTERS) or "".join(seen.split())


def _stripped(text: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).translate(_LOOKALIKES)
    seen = folded.translate(_VISIBLE)
    words = seen.translate(_WORDS)
    # A text of pictures alone keeps them: otherwise all such texts would be copies of each other.
    return " ".join((words if words.strip() else seen).split())


def _invisible(character: str) -> bool:
    return character in _SELECTORS or (unicodedata.category(character) in _INVISIBLE and not character.isspace())


_VISIBLE = _Table(_invisible)
_WORDS = _Table(lambda character: unicodedata.category(character) in _PICTURES)
_LETTERS = _Table(lambda character: unicodedata.category(character)[0] not in "LMN")
