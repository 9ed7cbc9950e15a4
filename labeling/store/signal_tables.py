"""The ledger's table of signals from outside (``labeling.signal_records``)."""

from __future__ import annotations

import sqlalchemy as sa

from labeling.store.cause_tables import metadata
from labeling.store.decision_tables import TEXT
from labeling.store.tables import UtcTime

__all__ = ["metadata", "signals"]

signals = sa.Table(
    "signals",
    metadata,
    sa.Column("kind", TEXT, primary_key=True),
    sa.Column("signal_id", TEXT, primary_key=True),
    sa.Column("item_id", TEXT, sa.ForeignKey("items.item_id"), nullable=False, index=True),
    *(sa.Column(name, TEXT, nullable=False) for name in ("policy_id", "project", "language")),
    sa.Column("at", UtcTime, nullable=False, index=True),
    sa.Column("outcome", TEXT, nullable=True),
    *(sa.Column(name, TEXT, nullable=False) for name in ("decision_source", "decision_id")),
    sa.Column("erased_at", UtcTime, nullable=True),
)
