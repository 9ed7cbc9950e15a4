"""How far models are mirrored, and alerts of trends."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

_TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "mirrored_models",
        *(sa.Column(name, _TEXT, nullable=False) for name in ("url", "model_id", "digest", "run_id", "version")),
        sa.Column("error", _TEXT, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("url", "model_id", name=op.f("pk_mirrored_models")),
        sa.ForeignKeyConstraint(["model_id"], ["models.model_id"], name=op.f("fk_mirrored_models_model_id")),
    )
    op.create_table(
        "trend_alerts",
        *(sa.Column(name, _TEXT, nullable=False) for name in ("alert_id", "key")),
        *(sa.Column(name, sa.Date(), nullable=False) for name in ("first_day", "last_day")),
        *(sa.Column(name, sa.JSON(), nullable=False) for name in ("body", "item_ids")),
        *(sa.Column(name, _TEXT, nullable=False) for name in ("state", "round_id")),
        sa.PrimaryKeyConstraint("alert_id", name=op.f("pk_trend_alerts")),
    )


def downgrade() -> None:
    op.drop_table("trend_alerts")
    op.drop_table("mirrored_models")
