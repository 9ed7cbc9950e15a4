"""Hashes that tell when two texts are equal, and when they are after normalisation (selection.near.bones)."""

from __future__ import annotations

import hashlib

from selection.near.bones import bones


def content_hash(text: str) -> str:
    """SHA-256 (hex) of the UTF-8 text, as ``Item.content_hash``."""
    return hashlib.sha256(text.encode()).hexdigest()


def bones_hash(text: str) -> str:
    """SHA-256 (hex) of ``bones(text)``."""
    return content_hash(bones(text))
