"""The ledger's tables of the weekly pack (``labeling.weekly_records``)."""

from __future__ import annotations

import sqlalchemy as sa

from labeling.store.decision_tables import TEXT
from labeling.store.signal_tables import metadata
from labeling.store.tables import UtcTime

__all__ = ["metadata", "weekly_packs", "weekly_signatures"]

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")

weekly_packs = sa.Table(
    "weekly_packs",
    metadata,
    sa.Column("seq", _NUMBER, primary_key=True, autoincrement=True),
    sa.Column("content_hash", TEXT, nullable=False, unique=True),
    sa.Column("week", TEXT, nullable=False, index=True),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("body", sa.JSON, nullable=False),
    sa.Column("drafted_by", TEXT, nullable=False),
    sa.Column("drafted_at", UtcTime, nullable=False),
)

weekly_signatures = sa.Table(
    "weekly_signatures",
    metadata,
    sa.Column("week", TEXT, primary_key=True),
    sa.Column("revision", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("content_hash", TEXT, sa.ForeignKey("weekly_packs.content_hash"), nullable=False),
    sa.Column("signer", TEXT, nullable=False),
    sa.Column("signed_at", UtcTime, nullable=False),
)
