"""The ledger's tables of production's decisions and their daily re-review (``labeling.decision_records``)."""

from __future__ import annotations

import sqlalchemy as sa

from labeling.store.tables import UtcTime, metadata

__all__ = ["decisions", "metadata", "qa_days", "qa_sample"]

TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, TEXT, nullable=False) for name in names]


decisions = sa.Table(
    "decisions",
    metadata,
    sa.Column("source", TEXT, primary_key=True),
    sa.Column("decision_id", TEXT, primary_key=True),
    sa.Column("item_id", TEXT, sa.ForeignKey("items.item_id"), nullable=False, index=True),
    *_texts("policy_id", "policy_version", "who"),
    sa.Column("outcome", TEXT, nullable=True),
    sa.Column("rule", TEXT, nullable=True),
    *_texts("action"),
    sa.Column("decided_at", UtcTime, nullable=False, index=True),
    *_texts("project", "team", "language", "market", "shift", "tool"),
    sa.Column("lot", sa.Double, nullable=False),
    sa.Column("erased_at", UtcTime, nullable=True),
)

qa_days = sa.Table(
    "qa_days",
    metadata,
    sa.Column("day", TEXT, primary_key=True),
    *_texts("zone"),
    sa.Column("budget", sa.BigInteger, nullable=False),
    sa.Column("seed", sa.BigInteger, nullable=False),
    sa.Column("frame", sa.JSON(none_as_null=True), nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
)

qa_sample = sa.Table(
    "qa_sample",
    metadata,
    sa.Column("day", TEXT, sa.ForeignKey("qa_days.day"), primary_key=True),
    sa.Column("source", TEXT, primary_key=True),
    sa.Column("decision_id", TEXT, primary_key=True),
    sa.Column("item_id", TEXT, nullable=False, index=True),
    *_texts("policy_id", "policy_version"),
    sa.Column("stratum", sa.BigInteger, nullable=False),
    sa.Column("pi", sa.Double, nullable=False),
    sa.Column("round_id", TEXT, nullable=False, index=True),
    *_texts("lane"),
    sa.Column("chance", sa.Double, nullable=False),
    sa.Column("barred", sa.JSON(none_as_null=True), nullable=False),
    *_texts("note"),
    sa.ForeignKeyConstraint(["source", "decision_id"], ["decisions.source", "decisions.decision_id"]),
)
