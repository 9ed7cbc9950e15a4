"""Whether an answer was taken over from a suggestion, as Label Studio tells."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    with op.batch_alter_table("annotation_events") as events:
        events.add_column(sa.Column("origin", _TEXT, nullable=False, server_default=""))


def downgrade() -> None:
    with op.batch_alter_table("annotation_events") as events:
        events.drop_column("origin")
