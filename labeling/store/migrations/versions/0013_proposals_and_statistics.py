"""Versions of policies that wait for a second person.

And on PostgreSQL no statistics of columns that hold content: ANALYZE would copy values of them into pg_statistic, where
no erasure finds them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

_TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")


_CONTENT = {
    "tasks": ("text", "prompt", "precedents", "content_hash"),
    "golden_items": ("text", "content_hash", "salt"),
    "golden_members": ("text", "content_hash", "salt"),
    "items": ("content_hash",),
    "legal_stops": ("content_hash",),
}


def upgrade() -> None:
    _statistics(0)
    op.create_table(
        "policy_proposals",
        sa.Column("proposal_id", _TEXT, nullable=False),
        sa.Column("policy_id", _TEXT, nullable=False),
        sa.Column("version", _TEXT, nullable=False),
        sa.Column("text", sa.JSON, nullable=False),
        sa.Column("kinds", sa.JSON, nullable=False),
        sa.Column("rules", sa.JSON, nullable=False),
        sa.Column("predecessors", sa.JSON, nullable=False),
        sa.Column("reason", _TEXT, nullable=False),
        sa.Column("author", _TEXT, nullable=False),
        sa.Column("budget", sa.BigInteger, nullable=False),
        sa.Column("bridge", sa.BigInteger, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", _TEXT, nullable=False),
        sa.Column("decided_by", _TEXT, nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decision_reason", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("proposal_id", name="pk_policy_proposals"),
    )
    op.create_index(
        "ix_policy_proposals_open",
        "policy_proposals",
        ["policy_id"],
        unique=True,
        sqlite_where=sa.text("state = 'proposed'"),
        postgresql_where=sa.text("state = 'proposed'"),
    )


def downgrade() -> None:
    op.drop_table("policy_proposals")
    _statistics(-1)


def _statistics(target: int) -> None:
    """-1: the server's default."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, columns in _CONTENT.items():
        for column in columns:
            op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET STATISTICS {target}")
