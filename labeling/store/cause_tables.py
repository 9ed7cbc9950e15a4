"""The ledger's tables of the root-cause desk (``labeling.cause_records``)."""

from __future__ import annotations

import sqlalchemy as sa

from labeling.store.decision_tables import TEXT
from labeling.store.tables import UtcTime
from labeling.store.trend_tables import metadata  # one chain of imports, so that all tables are known at its end

__all__ = ["action_events", "actions", "codings", "findings", "metadata"]


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, TEXT, nullable=False) for name in names]


def _seq() -> sa.Column[int]:
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    return sa.Column("seq", number, primary_key=True, autoincrement=True)


findings = sa.Table(
    "findings",
    metadata,
    sa.Column("finding_id", TEXT, primary_key=True),
    *_texts("title", "statement"),
    sa.Column("slice", sa.JSON, nullable=False),
    sa.Column("item_ids", sa.JSON, nullable=False),
    sa.Column("error_type", TEXT, nullable=True),
    sa.Column("severity", sa.BigInteger, nullable=False),
    sa.Column("cost_minutes", sa.Double, nullable=True),
    *_texts("origin", "golden_version", "policy_version", "opened_by"),
    sa.Column("opened_at", UtcTime, nullable=False),
)

codings = sa.Table(
    "codings",
    metadata,
    sa.Column("finding_id", TEXT, sa.ForeignKey("findings.finding_id"), primary_key=True),
    sa.Column("role", TEXT, primary_key=True),
    *_texts("code", "note", "coder"),
    sa.Column("at", UtcTime, nullable=False),
)

actions = sa.Table(
    "actions",
    metadata,
    sa.Column("action_id", TEXT, primary_key=True),
    sa.Column("finding_id", TEXT, sa.ForeignKey("findings.finding_id"), nullable=False, index=True),
    *_texts("what", "owner", "kpi"),
    sa.Column("target", sa.Double, nullable=False),
    sa.Column("slice", sa.JSON, nullable=False),
    sa.Column("due", sa.Date, nullable=False),
    sa.Column("before", sa.JSON, nullable=False),
    *_texts("opened_by"),
    sa.Column("opened_at", UtcTime, nullable=False),
)

action_events = sa.Table(
    "action_events",
    metadata,
    _seq(),
    sa.Column("action_id", TEXT, sa.ForeignKey("actions.action_id"), nullable=False, index=True),
    *_texts("state", "actor", "reason"),
    sa.Column("figure", sa.JSON, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
)
