"""The ledger's tables of the registry's mirror (``labeling.mirror.records``) and of trends (``trend_records``)."""

from __future__ import annotations

import sqlalchemy as sa

from labeling.store.decision_tables import TEXT, metadata
from labeling.store.tables import UtcTime

__all__ = ["metadata", "mirrored_models", "trend_alerts"]


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, TEXT, nullable=False) for name in names]


mirrored_models = sa.Table(
    "mirrored_models",
    metadata,
    sa.Column("url", TEXT, primary_key=True),
    sa.Column("model_id", TEXT, sa.ForeignKey("models.model_id"), primary_key=True),
    *_texts("digest", "run_id", "version", "error"),
    sa.Column("at", UtcTime, nullable=False),
)

trend_alerts = sa.Table(
    "trend_alerts",
    metadata,
    sa.Column("alert_id", TEXT, primary_key=True),
    *_texts("key"),
    sa.Column("first_day", sa.Date, nullable=False),
    sa.Column("last_day", sa.Date, nullable=False),
    sa.Column("body", sa.JSON(none_as_null=True), nullable=False),
    sa.Column("item_ids", sa.JSON(none_as_null=True), nullable=False),
    *_texts("state", "round_id"),
)
