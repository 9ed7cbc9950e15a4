"""What of a golden item is covered by which hash, and whether its content is still there.

``content_hash`` is that of a text, or of the bytes of an image's media; ``caption_hash`` that of what is said of the
image. Both are in the row that events, manifests and Merkle roots cover.
"""

from __future__ import annotations

import hashlib

from labeling.records import GoldenItem
from selection.near.bones import bones

TEXT, IMAGE = "text", "image"


def content_hash(text: str) -> str:
    """SHA-256 (hex) of the UTF-8 text, as ``Item.content_hash``."""
    return hashlib.sha256(text.encode()).hexdigest()


def bones_hash(text: str) -> str:
    """SHA-256 (hex) of ``bones(text)``."""
    return content_hash(bones(text))


NO_CAPTION = content_hash("")


def caption_hash(modality: str, text: str) -> str:
    """SHA-256 (hex) of the caption of what is no text, of an empty caption too; "" of a text, whose content hash says
    the same."""
    return "" if modality == TEXT else content_hash(text)


def text_differs(item: GoldenItem) -> bool:
    """Whether the text, or the caption, is there and not what its hash says."""
    said = item.content_hash if item.modality == TEXT else item.caption_hash
    return bool(item.text) and content_hash(item.text) != said


def has_content(item: GoldenItem) -> bool:
    """Whether the row still holds what people judged. An image without a caption that was stopped looks as it did: its
    state tells."""
    if item.modality == TEXT:
        return bool(item.text)
    return bool(item.content_hash) and (bool(item.text) or item.caption_hash == NO_CAPTION)
