"""The captions of image gold under a hash of their own, and models that read images, one champion a modality."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

_TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")
_CHAMPION = sa.text("state = 'champion'")


def upgrade() -> None:
    for table in ("golden_items", "golden_members"):
        op.add_column(table, sa.Column("caption_hash", _TEXT, nullable=False, server_default=""))
    op.add_column("models", sa.Column("modality", _TEXT, nullable=False, server_default="text"))
    _champion_by(["modality"])


def downgrade() -> None:
    op.execute("UPDATE models SET state = 'archived' WHERE state = 'champion' AND modality <> 'text'")
    _champion_by(["state"])
    with op.batch_alter_table("models") as models:
        models.drop_column("modality")
    for table in ("golden_members", "golden_items"):
        with op.batch_alter_table(table) as golden:
            golden.drop_column("caption_hash")


def _champion_by(columns: list[str]) -> None:
    op.drop_index("uq_models_champion", "models")
    op.create_index(
        "uq_models_champion", "models", columns, unique=True, sqlite_where=_CHAMPION, postgresql_where=_CHAMPION
    )
