"""The roster, and a copy of each question for each of its people: whose a task is, in which order, at what exposure."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")
_PROJECT = ("base_url", "policy_id", "policy_version", "kind")
_PROJECT_KEY = "uq_projects_base_url_policy_id_policy_version_kind"
_INJECTION = sa.text("kind = 'injection'")


def upgrade() -> None:
    _people()
    with op.batch_alter_table("tasks") as tasks:
        tasks.add_column(sa.Column("assignee", _TEXT, nullable=False, server_default=""))
        tasks.add_column(sa.Column("position", sa.BigInteger(), nullable=False, server_default="0"))
        tasks.add_column(sa.Column("exposure", sa.Double(), nullable=False, server_default="0"))
        tasks.add_column(sa.Column("extra", sa.BigInteger(), nullable=False, server_default="0"))
        tasks.drop_constraint("uq_tasks_parent_task_id_kind", type_="unique")
        tasks.create_unique_constraint("uq_tasks_parent_task_id_kind_assignee", ["parent_task_id", "kind", "assignee"])
    op.create_index("ix_tasks_assignee_state", "tasks", ["assignee", "state"])
    op.create_index(
        "uq_tasks_injection",
        "tasks",
        ["item_id", "assignee"],
        unique=True,
        sqlite_where=_INJECTION,
        postgresql_where=_INJECTION,
    )
    op.create_index("ix_annotation_events_studio_updated_at", "annotation_events", ["studio_updated_at"])
    with op.batch_alter_table("projects") as projects:
        projects.add_column(sa.Column("assignee", _TEXT, nullable=False, server_default=""))
        projects.add_column(sa.Column("desk", sa.BigInteger(), nullable=False, server_default="0"))
        projects.drop_constraint(_PROJECT_KEY, type_="unique")
        projects.create_unique_constraint(f"{_PROJECT_KEY}_assignee", [*_PROJECT, "assignee"])


def downgrade() -> None:
    with op.batch_alter_table("projects") as projects:
        projects.drop_constraint(f"{_PROJECT_KEY}_assignee", type_="unique")
        projects.create_unique_constraint(_PROJECT_KEY, [*_PROJECT])
        projects.drop_column("desk")
        projects.drop_column("assignee")
    op.drop_index("ix_annotation_events_studio_updated_at", "annotation_events")
    op.drop_index("uq_tasks_injection", "tasks")
    op.drop_index("ix_tasks_assignee_state", "tasks")
    with op.batch_alter_table("tasks") as tasks:
        tasks.drop_constraint("uq_tasks_parent_task_id_kind_assignee", type_="unique")
        tasks.create_unique_constraint("uq_tasks_parent_task_id_kind", ["parent_task_id", "kind"])
        for column in ("extra", "exposure", "position", "assignee"):
            tasks.drop_column(column)
    op.drop_table("people")


def _people() -> None:
    op.create_table(
        "people",
        sa.Column("email", _TEXT, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("desk", sa.BigInteger(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("languages", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("opt_outs", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("daily_exposure", sa.Double(), nullable=True),
        sa.Column("severe_in_row", sa.BigInteger(), nullable=True),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("paused_reason", _TEXT, nullable=False),
        sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("email", name=op.f("pk_people")),
        sa.UniqueConstraint("desk", name=op.f("uq_people_desk")),
    )
