"""The ledger's table of objections (``labeling.objection_records``)."""

from __future__ import annotations

import sqlalchemy as sa

from labeling.store.decision_tables import TEXT
from labeling.store.session_tables import metadata
from labeling.store.tables import UtcTime

__all__ = ["metadata", "objections"]

_WORDS = ("reason", "state", "answer", "answered_by")

objections = sa.Table(
    "objections",
    metadata,
    sa.Column("objection_id", TEXT, primary_key=True),
    *(sa.Column(name, TEXT, nullable=False) for name in ("person", "adjudication_id", "item_id", "policy_id")),
    *(sa.Column(name, TEXT, nullable=False) for name in _WORDS),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("answered_at", UtcTime, nullable=True),
    sa.UniqueConstraint("person", "adjudication_id"),
    sa.Index(None, "item_id"),
)
