"""A text's bones: what is left when the tricks that make a copy look new are undone.

Undone: Unicode compatibility forms (full width, circled, mathematical letters), case, runs of white space, invisible
characters (zero-width, soft hyphen, direction marks, variation selectors, tags), pictographs used as padding, accents
and other marks piled on letters, and letters of other scripts that look Latin (``selection.near.lookalikes``).
Not undone: misspelling, leetspeak, translation. Shingles and embeddings are there for those.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from selection.near.lookalikes import CAPITALS, LETTERS

_INVISIBLE = {"Cf", "Cc", "Co", "Cn"}
_PICTURES = {"So", "Sk"}  # symbols and skin tones
_SELECTORS = {chr(code) for code in range(0xFE00, 0xFE10)} | {"\u034f", "\u115f", "\u1160", "\u3164", "\u20e3"}
# Marks that any letter may carry; those that a script cannot do without (vowel signs, dakuten) lie elsewhere.
_MARKS = ((0x300, 0x36F), (0x483, 0x489), (0x1AB0, 0x1AFF), (0x1DC0, 0x1DFF), (0x20D0, 0x20FF), (0xFE20, 0xFE2F))
_MARKED = re.compile("[" + "".join(f"{chr(low)}-{chr(high)}" for low, high in _MARKS) + "]")
# Pictographs that would turn into letters or digits: keycaps, and letter-like signs asked to show as pictures.
_PADDING = re.compile("[0-9#*]\ufe0f?\u20e3|\u2122|[\u2139\u24c2\u3297\u3299\U0001f170-\U0001f189]\ufe0f")
_MIXED = re.compile("[A-Za-z][\u0370-\u03ff]|[\u0370-\u03ff][A-Za-z]")
_GREEK_CAPITAL = re.compile("[\u0391-\u03a9]")
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
    seen = _folded(text).translate(_VISIBLE)
    words = seen.translate(_WORDS)
    # A text of pictures alone keeps them: otherwise all such texts would be copies of each other.
    return " ".join((words if words.strip() else seen).split())


def _folded(text: str) -> str:
    """Small letters without marks; those that look Latin are."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKC", (_PADDING.sub("", text) or text).translate(_SQUARED))
    plain = unicodedata.normalize("NFC", _MARKED.sub("", unicodedata.normalize("NFD", plain)) or plain)
    if _GREEK_CAPITAL.search(plain) and _is_latin(plain):
        plain = plain.translate(CAPITALS)
    return unicodedata.normalize("NFKC", plain.casefold()).translate(LETTERS)


def _is_latin(text: str) -> bool:
    """Are Latin and Greek letters mixed in one word, or are there more Latin ones? Then a Greek capital stands for the
    Latin letter of its own shape, which may be another than its small form's."""
    if _MIXED.search(text):
        return True
    names = [unicodedata.name(character, "") for character in text if character.isalpha()]
    return sum(name.startswith("LATIN") for name in names) > sum(name.startswith("GREEK") for name in names)


def _invisible(character: str) -> bool:
    return character in _SELECTORS or (unicodedata.category(character) in _INVISIBLE and not character.isspace())


_SQUARED = {  # white on black, in circles and squares: pictographs by category, letters by use
    first + place: chr(ord("a") + place) for first in (0x1F150, 0x1F170) for place in range(26)
}
_VISIBLE = _Table(_invisible)
_WORDS = _Table(lambda character: unicodedata.category(character) in _PICTURES)
_LETTERS = _Table(lambda character: unicodedata.category(character)[0] not in "LMN")
