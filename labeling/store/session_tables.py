"""The ledger's table of who is signed in at the console (``labeling.session_records``)."""

from __future__ import annotations

import sqlalchemy as sa

from labeling.store.decision_tables import TEXT
from labeling.store.tables import UtcTime
from labeling.store.weekly_tables import metadata

__all__ = ["console_sessions", "metadata"]

console_sessions = sa.Table(
    "console_sessions",
    metadata,
    sa.Column("session_hash", TEXT, primary_key=True),
    *(sa.Column(name, TEXT, nullable=False) for name in ("key_hash", "key_id", "name", "role", "csrf")),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("ends_at", UtcTime, nullable=False, index=True),
)
