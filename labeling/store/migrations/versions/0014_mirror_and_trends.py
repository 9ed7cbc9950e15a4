"""How far models are mirrored."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0011"

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


def downgrade() -> None:
    op.drop_table("mirrored_models")
