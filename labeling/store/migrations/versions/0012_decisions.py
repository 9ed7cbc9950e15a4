"""Production's decisions, and the samples of them that are judged again each day."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

_TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")
_TIME = sa.DateTime(timezone=True)


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, _TEXT, nullable=False) for name in names]


def upgrade() -> None:
    op.create_table(
        "decisions",
        *_texts("source", "decision_id", "item_id", "policy_id", "policy_version", "who"),
        sa.Column("outcome", _TEXT, nullable=True),
        sa.Column("rule", _TEXT, nullable=True),
        *_texts("action"),
        sa.Column("decided_at", _TIME, nullable=False),
        *_texts("project", "team", "language", "market", "shift", "tool"),
        sa.Column("lot", sa.Double(), nullable=False),
        sa.Column("erased_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("source", "decision_id", name=op.f("pk_decisions")),
        sa.ForeignKeyConstraint(["item_id"], ["items.item_id"], name=op.f("fk_decisions_item_id")),
    )
    for column in ("item_id", "decided_at"):
        op.create_index(op.f(f"ix_decisions_{column}"), "decisions", [column], unique=False)
    op.create_table(
        "qa_days",
        *_texts("day", "zone"),
        sa.Column("budget", sa.BigInteger(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("frame", sa.JSON(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_qa_days")),
    )
    op.create_table(
        "qa_sample",
        *_texts("day", "source", "decision_id", "item_id", "policy_id", "policy_version"),
        sa.Column("stratum", sa.BigInteger(), nullable=False),
        sa.Column("pi", sa.Double(), nullable=False),
        *_texts("round_id", "lane"),
        sa.Column("chance", sa.Double(), nullable=False),
        sa.Column("barred", sa.JSON(), nullable=False),
        *_texts("note"),
        sa.PrimaryKeyConstraint("day", "source", "decision_id", name=op.f("pk_qa_sample")),
        sa.ForeignKeyConstraint(["day"], ["qa_days.day"], name=op.f("fk_qa_sample_day")),
        sa.ForeignKeyConstraint(
            ["source", "decision_id"],
            ["decisions.source", "decisions.decision_id"],
            name=op.f("fk_qa_sample_source"),
        ),
    )
    for column in ("item_id", "round_id"):
        op.create_index(op.f(f"ix_qa_sample_{column}"), "qa_sample", [column], unique=False)


def downgrade() -> None:
    for table in ("qa_sample", "qa_days", "decisions"):
        op.drop_table(table)
