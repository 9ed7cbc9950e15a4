"""A text's bones: what is left when the tricks that make a copy look new are undone.

Undone: Unicode compatibility forms, case, runs of white space, invisible characters (zero-width, soft hyphen,
direction marks, variation selectors, tags), pictographs used as padding, and Cyrillic or Greek letters that look Latin.
Not undone: misspelling, leetspeak, accents, translation. Embeddings are there for those.
"""

from __future__ import annotations

import hashlib
import unicodedata

_CYRILLIC = zip("авеѕіјкмнорстуԁѡхһԛԝ", "abesijkmhopctydwxhqw", strict=True)
_GREEK = zip("αβγεηικνορτυχωϲϳ", "abyenikvoptuxwcj", strict=True)  # by their small letters
_LATIN = zip("ıɡɑ", "iga", strict=True)
_LOOKALIKES = str.maketrans({**dict(_CYRILLIC), **dict(_GREEK), **dict(_LATIN)})
_INVISIBLE = {"Cf", "Cc", "Co", "Cn"}
_PICTURES = {"So", "Sk"}  # symbols and skin tones
_SELECTORS = {chr(code) for code in range(0xFE00, 0xFE10)} | {"\u034f", "\u115f", "\u1160", "\u3164", "\u20e3"}
_ROUNDS = 8  # each step may uncover work for an earlier one; two rounds do for anything seen


def bones(text: str) -> str:
    """The comparable form of a text. Applying it twice changes nothing more."""
    for _ in range(_ROUNDS):
        stripped = _stripped(text)
        if stripped == text:
            break
        text = stripped
    return text


def content_hash(text: str) -> str:
    """SHA-256 (hex) of the UTF-8 text, as ``Item.content_hash``."""
    return hashlib.sha256(text.encode()).hexdigest()


def bones_hash(text: str) -> str:
    """SHA-256 (hex) of ``bones(text)``."""
    return content_hash(bones(text))


def _stripped(text: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).translate(_LOOKALIKES)
    seen = "".join(c for c in folded if c.isspace() or _visible(c))
    words = "".join(c for c in seen if unicodedata.category(c) not in _PICTURES)
    # A text of pictures alone keeps them: otherwise all such texts would be copies of each other.
    return " ".join((words if words.strip() else seen).split())


def _visible(character: str) -> bool:
    return character not in _SELECTORS and unicodedata.category(character) not in _INVISIBLE
