"""Who is signed in at the console."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ConsoleSession:
    """One browser's sign-in. ``session_hash``: SHA-256 of what its cookie holds, hex. ``key_hash``: of the API key it
    was opened with, and it ends with that key; "" for a person whom an identity provider vouched for. ``key_id`` is
    who acts, as the audit trail tells it; ``csrf``: what each form of this session sends along."""

    session_hash: str
    key_hash: str
    key_id: str
    name: str
    role: str
    csrf: str
    created_at: datetime
    ends_at: datetime
