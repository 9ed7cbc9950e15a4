"""Families and artefacts of models, their moves, verdicts of the gate, and what the sealed partition was asked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0008"

_TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")
_SEQUENCE = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TIME = sa.DateTime(timezone=True)


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, _TEXT, nullable=False) for name in names]


def upgrade() -> None:
    for column in ("artefact", "family"):
        op.add_column("models", sa.Column(column, _TEXT, nullable=False, server_default=""))
    op.create_table(
        "model_events",
        sa.Column("seq", _SEQUENCE, autoincrement=True, nullable=False),
        *_texts("model_id", "kind", "before", "after", "replaced", "gate_id", "reason", "actor"),
        sa.Column("at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_model_events")),
        sa.ForeignKeyConstraint(["model_id"], ["models.model_id"], name=op.f("fk_model_events_model_id")),
    )
    op.create_index(op.f("ix_model_events_model_id"), "model_events", ["model_id"], unique=False)
    op.create_table(
        "gates",
        sa.Column("seq", _SEQUENCE, autoincrement=True, nullable=False),
        *_texts("gate_id"),
        sa.Column("body", sa.JSON(), nullable=False),
        *_texts("previous", "row_hash", "signature"),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_gates")),
        *(sa.UniqueConstraint(column, name=op.f(f"uq_gates_{column}")) for column in ("gate_id", "previous")),
        sa.UniqueConstraint("row_hash", name=op.f("uq_gates_row_hash")),
    )
    op.create_table(
        "sealed_queries",
        sa.Column("seq", _SEQUENCE, autoincrement=True, nullable=False),
        *_texts("question_hash"),
        sa.Column("at", _TIME, nullable=False),
        *_texts("actor", "model_id", "model_version", "family", "golden_version"),
        sa.Column("question", sa.JSON(), nullable=False),
        sa.Column("answer", sa.JSON(), nullable=True),
        sa.Column("is_repeat", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_sealed_queries")),
    )
    for column in ("question_hash", "family"):
        op.create_index(op.f(f"ix_sealed_queries_{column}"), "sealed_queries", [column], unique=False)
    op.create_index(
        "uq_sealed_queries_answered",
        "sealed_queries",
        ["question_hash"],
        unique=True,
        sqlite_where=sa.text("is_repeat = 0"),
        postgresql_where=sa.text("is_repeat = false"),
    )


def downgrade() -> None:
    for table in ("sealed_queries", "gates", "model_events"):
        op.drop_table(table)
    with op.batch_alter_table("models") as models:
        models.drop_column("family")
        models.drop_column("artefact")
