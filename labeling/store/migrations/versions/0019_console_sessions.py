"""Who is signed in at the console."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"

_TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "console_sessions",
        *(
            sa.Column(name, _TEXT, nullable=False)
            for name in ("session_hash", "key_hash", "key_id", "name", "role", "csrf")
        ),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("ends_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("session_hash", name=op.f("pk_console_sessions")),
    )
    op.create_index(op.f("ix_console_sessions_ends_at"), "console_sessions", ["ends_at"], unique=False)


def downgrade() -> None:
    op.drop_table("console_sessions")
