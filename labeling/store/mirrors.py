"""How far the registry of models is mirrored."""

from __future__ import annotations

import sqlalchemy as sa

from labeling.mirror.records import MirrorRow
from labeling.store.database import Database
from labeling.store.rows import dump, load, replace_row
from labeling.store.trend_tables import mirrored_models


class SqlMirrors:
    """``Mirrors`` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def at(self, url: str) -> dict[str, MirrorRow]:
        query = sa.select(mirrored_models).where(mirrored_models.c.url == url)
        with self._database.read() as connection:
            rows = [load(MirrorRow, row) for row in connection.execute(query).mappings()]
        return {row.model_id: row for row in rows}

    def put(self, row: MirrorRow) -> None:
        with self._database.write() as connection:
            replace_row(connection, mirrored_models, dump(row))
