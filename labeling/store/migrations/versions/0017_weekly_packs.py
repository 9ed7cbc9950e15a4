"""The weekly pack."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

_TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "weekly_packs",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("content_hash", _TEXT, nullable=False),
        sa.Column("week", _TEXT, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
        sa.Column("drafted_by", _TEXT, nullable=False),
        sa.Column("drafted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_weekly_packs"),
        sa.UniqueConstraint("content_hash", name="uq_weekly_packs_content_hash"),
    )
    op.create_index("ix_weekly_packs_week", "weekly_packs", ["week"])
    op.create_table(
        "weekly_signatures",
        sa.Column("week", _TEXT, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("content_hash", _TEXT, nullable=False),
        sa.Column("signer", _TEXT, nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["content_hash"], ["weekly_packs.content_hash"], name="fk_weekly_signatures_content_hash_weekly_packs"
        ),
        sa.PrimaryKeyConstraint("week", "revision", name="pk_weekly_signatures"),
    )


def downgrade() -> None:
    op.drop_table("weekly_signatures")
    op.drop_table("weekly_packs")
