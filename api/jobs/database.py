"""The database of the jobs: SQLite tuned for one host, or PostgreSQL by URL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from configs.settings import hide_password
from labeling.errors import StoreError


def jobs_engine(url: str) -> sa.Engine:
    """An engine for DBOS that has answered once. Raises StoreError when the database cannot be used: DBOS itself
    would try for ever."""
    where = hide_password(url)
    try:
        engine = _engine(url)
    except (sa.exc.ArgumentError, ModuleNotFoundError) as error:
        raise StoreError(f"jobs_url: {where} is no database URL that can be used here: {error}") from error
    try:
        with plain_errors(url), engine.connect():
            return engine
    except StoreError:
        engine.dispose()
        raise


@contextmanager
def plain_errors(url: str) -> Iterator[None]:
    """Turn what the jobs' database says in the block into a StoreError with the cure."""
    try:
        yield
    except sa.exc.SQLAlchemyError as error:
        reason = " ".join(str(error.orig if isinstance(error, sa.exc.DBAPIError) else error).split())
        cure = next((cure for sign, cure in _CURES.items() if sign in reason), "")
        raise StoreError(f"jobs_url: {hide_password(url)} cannot be used: {reason}{cure}") from error


_FREE = "; free some space and run it again with the same id: what was done is kept"
_CURES = {"disk is full": _FREE, "No space left": _FREE, "disk I/O error": _FREE}


def _engine(url: str) -> sa.Engine:
    """SQLite gets WAL and a 30 s busy timeout, which makes a step two to four times quicker."""
    if not url.startswith("sqlite"):
        return sa.create_engine(url, pool_pre_ping=True)
    engine = sa.create_engine(url, connect_args={"timeout": 30})

    @sa.event.listens_for(engine, "connect")
    def _tune(connection: Any, _record: object) -> None:
        connection.execute("pragma journal_mode=wal")
        connection.execute("pragma synchronous=full")  # a finished step stays finished after a power cut

    return engine
