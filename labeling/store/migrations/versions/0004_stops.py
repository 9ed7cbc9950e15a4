"""Legal stops, what is to be deleted in Label Studio for them, and what an adjudication desk shows and asks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("items", sa.Column("gone_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("tasks", sa.Column("precedents", _TEXT, nullable=False, server_default=""))
    for table in ("adjudications", "golden_items", "golden_members"):
        op.add_column(table, sa.Column("verdict", _TEXT, nullable=True))
        op.add_column(table, sa.Column("cause", _TEXT, nullable=True))
    op.create_table(
        "legal_stops",
        sa.Column("stop_id", _TEXT, nullable=False),
        sa.Column("item_id", _TEXT, nullable=False),
        sa.Column("external_id", _TEXT, nullable=False),
        sa.Column("content_hash", _TEXT, nullable=False),
        sa.Column("policy_id", _TEXT, nullable=False),
        sa.Column("policy_version", _TEXT, nullable=False),
        sa.Column("round_id", _TEXT, nullable=False),
        sa.Column("task_id", _TEXT, nullable=False),
        sa.Column("who", _TEXT, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("purged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lifted_by", _TEXT, nullable=False),
        sa.Column("reason", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("stop_id", name=op.f("pk_legal_stops")),
    )
    for column in ("item_id", "external_id", "content_hash"):
        op.create_index(op.f(f"ix_legal_stops_{column}"), "legal_stops", [column], unique=False)
    op.create_table(
        "studio_removals",
        sa.Column("task_id", _TEXT, nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("task_id", "project_id", name=op.f("pk_studio_removals")),
    )


def downgrade() -> None:
    op.drop_table("studio_removals")
    op.drop_table("legal_stops")
    for table in ("golden_members", "golden_items", "adjudications"):
        op.drop_column(table, "cause")
        op.drop_column(table, "verdict")
    op.drop_column("tasks", "precedents")
    op.drop_column("items", "gone_at")
