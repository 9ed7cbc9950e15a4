"""Sign-ins at the console, by the hash of their cookie."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from labeling.errors import Conflict
from labeling.session_records import ConsoleSession
from labeling.store.database import Database
from labeling.store.rows import dump, insert_missing, load
from labeling.store.session_tables import console_sessions


class SqlSessions:
    """``Sessions`` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, session: ConsoleSession) -> None:
        with self._database.write() as connection:
            if not insert_missing(connection, console_sessions, [dump(session)], console_sessions.c.session_hash):
                raise Conflict("a session of this hash is there already: sign in again")

    def find(self, session_hash: str, at: datetime) -> ConsoleSession | None:
        own = console_sessions.c.session_hash == session_hash
        query = sa.select(console_sessions).where(own, console_sessions.c.ends_at > at)
        with self._database.read() as connection:
            row = connection.execute(query).mappings().one_or_none()
        return None if row is None else load(ConsoleSession, row)

    def end(self, session_hash: str) -> None:
        with self._database.write() as connection:
            connection.execute(sa.delete(console_sessions).where(console_sessions.c.session_hash == session_hash))

    def sweep(self, before: datetime) -> int:
        with self._database.write() as connection:
            return connection.execute(sa.delete(console_sessions).where(console_sessions.c.ends_at <= before)).rowcount
