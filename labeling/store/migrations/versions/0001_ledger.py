"""The ledger: every table of Goldfold's first version."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")

# In the order in which they refer to each other.
TABLES = (
    "api_keys",
    "audit",
    "executors",
    "golden_items",
    "golden_versions",
    "items",
    "models",
    "projects",
    "rounds",
    "golden_members",
    "picks",
    "tasks",
    "adjudications",
    "annotation_events",
    "gold_events",
)


def upgrade() -> None:
    _api_keys()
    _audit()
    _executors()
    _golden_items()
    _golden_versions()
    _items()
    _models()
    _projects()
    _rounds()
    _golden_members()
    _picks()
    _tasks()
    _adjudications()
    _annotation_events()
    _gold_events()


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)


def _api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("key_id", _TEXT, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("role", _TEXT, nullable=False),
        sa.Column("key_hash", _TEXT, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_api_keys_key_hash")),
    )


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", _TEXT, nullable=False),
        sa.Column("action", _TEXT, nullable=False),
        sa.Column("target", _TEXT, nullable=False),
        sa.Column("detail", sa.JSON(none_as_null=True), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit")),
    )


def _executors() -> None:
    op.create_table(
        "executors",
        sa.Column("executor_id", _TEXT, nullable=False),
        sa.Column("beat_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("executor_id", name=op.f("pk_executors")),
    )


def _golden_items() -> None:
    op.create_table(
        "golden_items",
        sa.Column("item_id", _TEXT, nullable=False),
        sa.Column("policy_id", _TEXT, nullable=False),
        sa.Column("external_id", _TEXT, nullable=False),
        sa.Column("policy_version", _TEXT, nullable=False),
        sa.Column("text", _TEXT, nullable=False),
        sa.Column("content_hash", _TEXT, nullable=False),
        sa.Column("language", _TEXT, nullable=False),
        sa.Column("outcome", _TEXT, nullable=False),
        sa.Column("rule", _TEXT, nullable=True),
        sa.Column("severity", sa.BigInteger(), nullable=True),
        sa.Column("how", _TEXT, nullable=False),
        sa.Column("votes", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("tier", _TEXT, nullable=False),
        sa.Column("state", _TEXT, nullable=False),
        sa.Column("partition", _TEXT, nullable=False),
        sa.Column("group_id", _TEXT, nullable=False),
        sa.Column("round_id", _TEXT, nullable=False),
        sa.Column("lane", _TEXT, nullable=False),
        sa.Column("pi", sa.Double(), nullable=True),
        sa.Column("adjudication_id", _TEXT, nullable=False),
        sa.Column("folded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("item_id", "policy_id", name=op.f("pk_golden_items")),
    )
    op.create_index("ix_golden_items_group_id", "golden_items", ["group_id"], unique=False)


def _golden_versions() -> None:
    op.create_table(
        "golden_versions",
        sa.Column("version", _TEXT, nullable=False),
        sa.Column("parent", _TEXT, nullable=True),
        sa.Column("merkle_root", _TEXT, nullable=False),
        sa.Column("manifest_path", _TEXT, nullable=False),
        sa.Column("counts", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["parent"], ["golden_versions.version"], name=op.f("fk_golden_versions_parent")),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_golden_versions")),
    )


def _items() -> None:
    op.create_table(
        "items",
        sa.Column("item_id", _TEXT, nullable=False),
        sa.Column("external_id", _TEXT, nullable=False),
        sa.Column("content_hash", _TEXT, nullable=False),
        sa.Column("lake_version", sa.BigInteger(), nullable=False),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("item_id", name=op.f("pk_items")),
        sa.UniqueConstraint("external_id", name=op.f("uq_items_external_id")),
    )
    op.create_index(op.f("ix_items_content_hash"), "items", ["content_hash"], unique=False)
    op.create_index("ix_items_lake_version", "items", ["lake_version"], unique=False)


def _models() -> None:
    op.create_table(
        "models",
        sa.Column("model_id", _TEXT, nullable=False),
        sa.Column("version", _TEXT, nullable=False),
        sa.Column("golden_version", _TEXT, nullable=False),
        sa.Column("path", _TEXT, nullable=False),
        sa.Column("state", _TEXT, nullable=False),
        sa.Column("metrics", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("promoted_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("model_id", name=op.f("pk_models")),
    )
    op.create_index(
        "uq_models_champion",
        "models",
        ["state"],
        unique=True,
        sqlite_where=sa.text("state = 'champion'"),
        postgresql_where=sa.text("state = 'champion'"),
    )


def _projects() -> None:
    op.create_table(
        "projects",
        sa.Column("base_url", _TEXT, nullable=False),
        sa.Column("project_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("policy_id", _TEXT, nullable=False),
        sa.Column("policy_version", _TEXT, nullable=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("config_sha256", _TEXT, nullable=False),
        sa.Column("watermark", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_holder", _TEXT, nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("base_url", "project_id", name=op.f("pk_projects")),
        sa.UniqueConstraint(
            "base_url",
            "policy_id",
            "policy_version",
            "kind",
            name=op.f("uq_projects_base_url_policy_id_policy_version_kind"),
        ),
    )


def _rounds() -> None:
    op.create_table(
        "rounds",
        sa.Column("round_id", _TEXT, nullable=False),
        sa.Column("state", _TEXT, nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("plan", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("frame", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("scorer_version", _TEXT, nullable=False),
        sa.Column("notes", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("round_id", name=op.f("pk_rounds")),
    )


def _golden_members() -> None:
    op.create_table(
        "golden_members",
        sa.Column("version", _TEXT, nullable=False),
        sa.Column("item_id", _TEXT, nullable=False),
        sa.Column("policy_id", _TEXT, nullable=False),
        sa.Column("external_id", _TEXT, nullable=False),
        sa.Column("policy_version", _TEXT, nullable=False),
        sa.Column("text", _TEXT, nullable=False),
        sa.Column("content_hash", _TEXT, nullable=False),
        sa.Column("language", _TEXT, nullable=False),
        sa.Column("outcome", _TEXT, nullable=False),
        sa.Column("rule", _TEXT, nullable=True),
        sa.Column("severity", sa.BigInteger(), nullable=True),
        sa.Column("how", _TEXT, nullable=False),
        sa.Column("votes", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("tier", _TEXT, nullable=False),
        sa.Column("state", _TEXT, nullable=False),
        sa.Column("partition", _TEXT, nullable=False),
        sa.Column("group_id", _TEXT, nullable=False),
        sa.Column("round_id", _TEXT, nullable=False),
        sa.Column("lane", _TEXT, nullable=False),
        sa.Column("pi", sa.Double(), nullable=True),
        sa.Column("adjudication_id", _TEXT, nullable=False),
        sa.Column("folded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["version"], ["golden_versions.version"], name=op.f("fk_golden_members_version")),
        sa.PrimaryKeyConstraint("version", "item_id", "policy_id", name=op.f("pk_golden_members")),
    )


def _picks() -> None:
    op.create_table(
        "picks",
        sa.Column("round_id", _TEXT, nullable=False),
        sa.Column("lane", _TEXT, nullable=False),
        sa.Column("policy_id", _TEXT, nullable=False),
        sa.Column("item_id", _TEXT, nullable=False),
        sa.Column("pi", sa.Double(), nullable=True),
        sa.Column("probability", sa.Double(), nullable=False),
        sa.Column("group_id", _TEXT, nullable=False),
        sa.Column("reasons", sa.JSON(none_as_null=True), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["items.item_id"], name=op.f("fk_picks_item_id")),
        sa.ForeignKeyConstraint(["round_id"], ["rounds.round_id"], name=op.f("fk_picks_round_id")),
        sa.PrimaryKeyConstraint("round_id", "lane", "policy_id", "item_id", name=op.f("pk_picks")),
    )
    op.create_index("ix_picks_item_id_policy_id", "picks", ["item_id", "policy_id"], unique=False)


def _tasks() -> None:
    op.create_table(
        "tasks",
        sa.Column("task_id", _TEXT, nullable=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("round_id", _TEXT, nullable=False),
        sa.Column("item_id", _TEXT, nullable=False),
        sa.Column("policy_id", _TEXT, nullable=False),
        sa.Column("policy_version", _TEXT, nullable=False),
        sa.Column("text", _TEXT, nullable=False),
        sa.Column("content_hash", _TEXT, nullable=False),
        sa.Column("overlap", sa.BigInteger(), nullable=False),
        sa.Column("state", _TEXT, nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=True),
        sa.Column("studio_task_id", sa.BigInteger(), nullable=True),
        sa.Column("parent_task_id", _TEXT, nullable=True),
        sa.Column("error", _TEXT, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("prompt", _TEXT, nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["items.item_id"], name=op.f("fk_tasks_item_id")),
        sa.ForeignKeyConstraint(["parent_task_id"], ["tasks.task_id"], name=op.f("fk_tasks_parent_task_id")),
        sa.ForeignKeyConstraint(["round_id"], ["rounds.round_id"], name=op.f("fk_tasks_round_id")),
        sa.PrimaryKeyConstraint("task_id", name=op.f("pk_tasks")),
        sa.UniqueConstraint("parent_task_id", "kind", name=op.f("uq_tasks_parent_task_id_kind")),
    )
    op.create_index("ix_tasks_item_id_policy_id", "tasks", ["item_id", "policy_id"], unique=False)
    op.create_index("ix_tasks_project_id", "tasks", ["project_id"], unique=False)
    op.create_index(op.f("ix_tasks_round_id"), "tasks", ["round_id"], unique=False)
    op.create_index(op.f("ix_tasks_state"), "tasks", ["state"], unique=False)


def _adjudications() -> None:
    op.create_table(
        "adjudications",
        sa.Column("adjudication_id", _TEXT, nullable=False),
        sa.Column("task_id", _TEXT, nullable=False),
        sa.Column("round_id", _TEXT, nullable=False),
        sa.Column("item_id", _TEXT, nullable=False),
        sa.Column("policy_id", _TEXT, nullable=False),
        sa.Column("policy_version", _TEXT, nullable=False),
        sa.Column("answer", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("how", _TEXT, nullable=False),
        sa.Column("votes", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("annotators", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("adjudicator", _TEXT, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["round_id"], ["rounds.round_id"], name=op.f("fk_adjudications_round_id")),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.task_id"], name=op.f("fk_adjudications_task_id")),
        sa.PrimaryKeyConstraint("adjudication_id", name=op.f("pk_adjudications")),
    )
    op.create_index(op.f("ix_adjudications_task_id"), "adjudications", ["task_id"], unique=False)


def _annotation_events() -> None:
    op.create_table(
        "annotation_events",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("task_id", _TEXT, nullable=False),
        sa.Column("studio_annotation_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("annotator", _TEXT, nullable=False),
        sa.Column("updated_by", _TEXT, nullable=False),
        sa.Column("answer", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("lead_time_s", sa.Double(), nullable=True),
        sa.Column("studio_updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("detail", _TEXT, nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.task_id"], name=op.f("fk_annotation_events_task_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_annotation_events")),
        sa.UniqueConstraint(
            "task_id",
            "studio_annotation_id",
            "kind",
            "studio_updated_at",
            name=op.f("uq_annotation_events_task_id_studio_annotation_id_kind_studio_updated_at"),
        ),
    )


def _gold_events() -> None:
    op.create_table(
        "gold_events",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("item_id", _TEXT, nullable=False),
        sa.Column("policy_id", _TEXT, nullable=False),
        sa.Column("adjudication_id", _TEXT, nullable=False),
        sa.Column("row", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["adjudication_id"], ["adjudications.adjudication_id"], name=op.f("fk_gold_events_adjudication_id")
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_gold_events")),
    )
    op.create_index("ix_gold_events_item_id_policy_id", "gold_events", ["item_id", "policy_id"], unique=False)
