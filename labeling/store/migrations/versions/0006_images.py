"""Images in rounds: what a task is made of, and a project's images and when their links were last looked through."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")
_PLACE = ["base_url", "policy_id", "policy_version", "kind", "assignee"]
_PLACE_KEY = f"uq_projects_{'_'.join(_PLACE)}"


def upgrade() -> None:
    for table in ("tasks", "golden_items", "golden_members"):
        with op.batch_alter_table(table) as changed:
            changed.add_column(sa.Column("modality", _TEXT, nullable=False, server_default="text"))
    with op.batch_alter_table("projects") as projects:
        projects.add_column(sa.Column("modality", _TEXT, nullable=False, server_default="text"))
        projects.add_column(sa.Column("relinked_at", sa.DateTime(timezone=True), nullable=True))
        projects.drop_constraint(_PLACE_KEY, type_="unique")
        projects.create_unique_constraint("uq_projects_place", [*_PLACE, "modality"])


def downgrade() -> None:
    with op.batch_alter_table("projects") as projects:
        projects.drop_constraint("uq_projects_place", type_="unique")
        projects.create_unique_constraint(_PLACE_KEY, _PLACE)
        projects.drop_column("relinked_at")
        projects.drop_column("modality")
    for table in ("golden_members", "golden_items", "tasks"):
        with op.batch_alter_table(table) as changed:
            changed.drop_column("modality")
