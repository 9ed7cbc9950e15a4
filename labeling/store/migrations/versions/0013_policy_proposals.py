"""Versions of policies that wait for a second person."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0011"

_TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
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
