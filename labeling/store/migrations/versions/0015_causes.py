"""The root-cause desk."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

_TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "findings",
        sa.Column("finding_id", _TEXT, nullable=False),
        *_texts("title", "statement"),
        sa.Column("slice", sa.JSON, nullable=False),
        sa.Column("item_ids", sa.JSON, nullable=False),
        sa.Column("error_type", _TEXT, nullable=True),
        sa.Column("severity", sa.BigInteger, nullable=False),
        sa.Column("cost_minutes", sa.Double, nullable=True),
        *_texts("origin", "golden_version", "policy_version", "opened_by"),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("finding_id", name="pk_findings"),
    )
    op.create_table(
        "codings",
        *_texts("finding_id", "role", "code", "note", "coder"),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["finding_id"], ["findings.finding_id"], name="fk_codings_finding_id_findings"),
        sa.PrimaryKeyConstraint("finding_id", "role", name="pk_codings"),
    )
    op.create_table(
        "actions",
        *_texts("action_id", "finding_id", "what", "owner", "kpi"),
        sa.Column("target", sa.Double, nullable=False),
        sa.Column("slice", sa.JSON, nullable=False),
        sa.Column("due", sa.Date, nullable=False),
        sa.Column("before", sa.JSON, nullable=False),
        *_texts("opened_by"),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["finding_id"], ["findings.finding_id"], name="fk_actions_finding_id_findings"),
        sa.PrimaryKeyConstraint("action_id", name="pk_actions"),
    )
    op.create_index("ix_actions_finding_id", "actions", ["finding_id"])
    op.create_table(
        "action_events",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        *_texts("action_id", "state", "actor", "reason"),
        sa.Column("figure", sa.JSON, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["action_id"], ["actions.action_id"], name="fk_action_events_action_id_actions"),
        sa.PrimaryKeyConstraint("seq", name="pk_action_events"),
    )
    op.create_index("ix_action_events_action_id", "action_events", ["action_id"])


def downgrade() -> None:
    for table in ("action_events", "actions", "codings", "findings"):
        op.drop_table(table)


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, _TEXT, nullable=False) for name in names]
