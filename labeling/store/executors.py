"""Heartbeats of the processes that run jobs."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from labeling.store.database import Database, now
from labeling.store.rows import replace_row
from labeling.store.tables import executors


class SqlExecutors:
    """``Executors`` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def beat(self, executor_id: str) -> None:
        with self._database.write() as connection:
            replace_row(connection, executors, {"executor_id": executor_id, "beat_at": now(connection)})

    def dead(self, older_than_s: float) -> list[str]:
        """Ids whose last beat is more than so many seconds ago, sorted."""
        with self._database.read() as connection:
            limit = now(connection) - timedelta(seconds=older_than_s)
            query = sa.select(executors.c.executor_id).where(executors.c.beat_at < limit)
            return list(connection.execute(query.order_by(executors.c.executor_id)).scalars())

    def remove(self, executor_id: str) -> None:
        """A no-op when it is not there."""
        with self._database.write() as connection:
            connection.execute(sa.delete(executors).where(executors.c.executor_id == executor_id))
