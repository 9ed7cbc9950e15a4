"""Objections of people who answer to what leads decided."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"

_TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")
_TIME = sa.DateTime(timezone=True)
_NAMES = ("objection_id", "person", "adjudication_id", "item_id", "policy_id")
_WORDS = ("reason", "state", "answer", "answered_by")


def upgrade() -> None:
    op.create_table(
        "objections",
        *(sa.Column(name, _TEXT, nullable=False) for name in (*_NAMES, *_WORDS)),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("answered_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("objection_id", name=op.f("pk_objections")),
        sa.UniqueConstraint("person", "adjudication_id", name=op.f("uq_objections_person_adjudication_id")),
    )
    op.create_index(op.f("ix_objections_item_id"), "objections", ["item_id"], unique=False)


def downgrade() -> None:
    op.drop_table("objections")
