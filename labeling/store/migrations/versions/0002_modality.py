"""Items of other kinds than text: what kind each is. Those that were there are texts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("items", sa.Column("modality", _TEXT, nullable=False, server_default="text"))


def downgrade() -> None:
    op.drop_column("items", "modality")
