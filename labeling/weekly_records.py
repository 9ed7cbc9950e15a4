"""The nouns of the weekly pack, as plain frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Pack:
    """A draft of a week's pack, never changed. ``week`` as ISO 8601 has it (2026-W48). ``content_hash``: SHA-256 (hex)
    of ``body``, the document, JSON-able. ``revision`` counts from 1, up by one with each that is signed."""

    content_hash: str
    week: str
    revision: int
    body: dict[str, object]
    drafted_by: str
    drafted_at: datetime


@dataclass(frozen=True, slots=True)
class Signature:
    """A person stands for a pack; its revision is frozen from then on."""

    week: str
    revision: int
    content_hash: str
    signer: str
    signed_at: datetime
