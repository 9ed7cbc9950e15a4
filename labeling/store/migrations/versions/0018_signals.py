"""Appeals, reports and other signals from outside."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"

_TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "signals",
        *_texts("kind", "signal_id", "item_id", "policy_id", "project", "language"),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("outcome", _TEXT, nullable=True),
        *_texts("decision_source", "decision_id"),
        sa.Column("erased_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("kind", "signal_id", name=op.f("pk_signals")),
        sa.ForeignKeyConstraint(["item_id"], ["items.item_id"], name=op.f("fk_signals_item_id_items")),
    )
    for column in ("item_id", "at"):
        op.create_index(op.f(f"ix_signals_{column}"), "signals", [column], unique=False)


def downgrade() -> None:
    op.drop_table("signals")


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, _TEXT, nullable=False) for name in names]
