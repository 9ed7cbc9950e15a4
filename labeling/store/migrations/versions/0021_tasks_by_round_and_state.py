"""How far rounds are is counted out of an index alone."""

from __future__ import annotations

from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.create_index(op.f("ix_tasks_round_id_state_kind"), "tasks", ["round_id", "state", "kind"], unique=False)
    op.drop_index(op.f("ix_tasks_round_id"), table_name="tasks")


def downgrade() -> None:
    op.create_index(op.f("ix_tasks_round_id"), "tasks", ["round_id"], unique=False)
    op.drop_index(op.f("ix_tasks_round_id_state_kind"), table_name="tasks")
