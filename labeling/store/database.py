"""One database behind the ledger: connections, transactions, and database errors in plain words."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from labeling.errors import Conflict, InvalidInput, LabelingError, StoreError

BUSY_TIMEOUT_S = 30
CONNECT_TIMEOUT_S = 10
SNAPSHOT = "REPEATABLE READ"  # PostgreSQL; a SQLite transaction is one anyway
WRITES = "goldfold_writes"
WITH_CONTENT = (
    "tasks",
    "annotation_events",
    "adjudications",
    "golden_items",
    "golden_members",
    "gold_events",
    "items",
    "decisions",
)
SECRETS = ("password", "sslpassword")


class Database:
    """SQLite (a file) or PostgreSQL. ``read`` sees one snapshot; ``write`` is one transaction, all or nothing.

    On SQLite a write takes the write lock at its start (BEGIN IMMEDIATE), so it never fails half-way for a lock;
    synchronous=FULL because a label that was acknowledged must survive a power cut, and commits here are few.
    """

    def __init__(self, url: str) -> None:
        self.url = _parse(url)
        self.engine = _sqlite(self.url) if self.is_sqlite else _postgres(self.url)
        self._reader = self.engine if self.is_sqlite else self.engine.execution_options(isolation_level=SNAPSHOT)
        self._writer = self.engine.execution_options(**{WRITES: True})

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @property
    def where(self) -> str:
        """The address without its secrets."""
        if self.is_sqlite:
            return str(self.url.database)
        return self.url.difference_update_query(SECRETS).render_as_string(hide_password=True)

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        with self._plain_errors(), self._reader.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        with self._plain_errors(), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def alter(self) -> Iterator[sa.Connection]:
        """As ``write``, for changes of the tables themselves: SQLite changes one by copying it and dropping the old
        one, which foreign keys would forbid, so they are off until the end and checked before it."""
        with self._plain_errors(), self._writer.connect() as connection:
            if self.is_sqlite:
                with _without_foreign_keys(connection), connection.begin():
                    yield connection
                    if connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
                        raise StoreError(f"the ledger {self.where}: rows name others that are gone; restore a backup")
            else:
                with connection.begin():
                    yield connection

    def scrub(self) -> None:
        """Rewrite the file, or the tables that hold content, so that nothing that was deleted or overwritten is left
        in them. Waits for other writers; raises StoreError when they do not let go. PostgreSQL's WAL and any backup
        hold old rows until they are recycled."""
        with self._plain_errors(), self.engine.connect() as connection:
            if not self.is_sqlite:
                alone = connection.execution_options(isolation_level="AUTOCOMMIT")
                alone.exec_driver_sql(f"SET lock_timeout = '{BUSY_TIMEOUT_S}s'")
                alone.exec_driver_sql(f"VACUUM (FULL) {', '.join(WITH_CONTENT)}")
                return
            try:
                cursor = connection.connection.cursor()
                cursor.execute("VACUUM")
                busy = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            except sqlite3.Error as error:
                raise StoreError(self._say(error)) from error
            if busy:
                raise StoreError(self._say(sqlite3.OperationalError("database is locked")))

    def close(self) -> None:
        self.engine.dispose()

    @contextmanager
    def _plain_errors(self) -> Iterator[None]:
        try:
            yield
        except exc.IntegrityError as error:
            raise Conflict(f"the ledger refuses it: {_first_line(error.orig)}") from error
        except exc.DataError as error:
            raise InvalidInput(f"the ledger cannot hold that value: {_first_line(error.orig)}") from error
        except exc.DBAPIError as error:
            raise StoreError(self._say(error.orig)) from error
        except exc.StatementError as error:
            if isinstance(error.orig, LabelingError):
                raise error.orig from error
            raise InvalidInput(f"the ledger cannot hold that value: {_first_line(error.orig)}") from error
        except (OverflowError, UnicodeEncodeError) as error:
            raise InvalidInput(f"the ledger cannot hold that value: {error}") from error
        except exc.SQLAlchemyError as error:
            raise StoreError(self._say(error)) from error

    def _say(self, error: BaseException | None) -> str:
        text = " ".join(str(error).split())
        for secret in (self.url.password, *(self.url.query.get(key) for key in SECRETS)):
            if isinstance(secret, str) and secret:
                text = text.replace(secret, "***")
        for sign, advice in _ADVICE.items():
            if sign in text:
                return f"the ledger {self.where}: {advice} ({text})"
        return f"the ledger {self.where} cannot be used: {text}"


_ADVICE = {
    "file is not a database": "this file is not a Goldfold ledger; point the setting elsewhere or restore a backup",
    "disk image is malformed": "the file is damaged; restore a backup",
    "disk is full": "the disk is full; free some space and run it again, nothing was half-written",
    "disk I/O error": "the disk cannot be read or written; check it for space and health, then run it again",
    "No space left": "the disk is full; free some space and run it again, nothing was half-written",
    "database is locked": f"another process kept it locked for {BUSY_TIMEOUT_S} s; run it again",
    "unable to open": "the file cannot be opened; check that its folder exists and may be written",
    "readonly database": "the file may not be written; check its permissions",
    "connection failed": "PostgreSQL does not answer or refuses the login; check that it runs, and the URL",
    "connection timeout": "PostgreSQL does not answer; check that it runs, and the URL",
}


@contextmanager
def _without_foreign_keys(connection: sa.Connection) -> Iterator[None]:
    """SQLite does not hear this within a transaction, so it goes past SQLAlchemy, which would begin one."""
    cursor = connection.connection.cursor()
    cursor.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()


def now(connection: sa.Connection) -> datetime:
    """UTC by the one clock that all processes of a ledger share: the server's, or this machine's on SQLite."""
    if connection.dialect.name != "postgresql":
        return datetime.now(UTC)
    told: datetime = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
    return told.astimezone(UTC)


def for_update(connection: sa.Connection, query: sa.Select[Any]) -> sa.Select[Any]:
    """Lock the rows read until the end of the write; SQLite holds the whole file already."""
    return query.with_for_update() if connection.dialect.name == "postgresql" else query


def _first_line(error: BaseException | None) -> str:
    return (str(error).splitlines() or ["no reason given"])[0]


def _parse(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
    except exc.ArgumentError as error:
        raise InvalidInput("ledger_url: not a database URL; use sqlite:///FILE or postgresql://...") from error
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        if not parsed.database or parsed.database == ":memory:":
            raise InvalidInput("ledger_url: a ledger in memory would forget everything; use sqlite:///FILE")
        if parsed.database.startswith("file:") or parsed.query:
            raise InvalidInput("ledger_url: SQLite's URI options are not supported; use sqlite:///FILE")
        return parsed.set(drivername="sqlite")
    if backend == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    raise InvalidInput(f"ledger_url: {backend!r} is not supported; use sqlite:///FILE or postgresql://...")


def _dumps(value: object) -> str:
    try:
        return json.dumps(value, allow_nan=False)  # NaN is no JSON, and only SQLite would take it
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"the ledger cannot hold that value: {error}") from error


def _postgres(url: sa.URL) -> sa.Engine:
    return sa.create_engine(
        url, pool_pre_ping=True, json_serializer=_dumps, connect_args={"connect_timeout": CONNECT_TIMEOUT_S}
    )


def _sqlite(url: sa.URL) -> sa.Engine:
    folder = Path(str(url.database)).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"the ledger's folder {folder} cannot be made: {error.strerror}") from error
    engine = sa.create_engine(url, json_serializer=_dumps, connect_args={"timeout": BUSY_TIMEOUT_S})
    sa.event.listen(engine, "connect", _prepare)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # sqlite3's own transactions start too late; see _begin
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_S * 1000}")
    connection.execute("PRAGMA foreign_keys = ON")
    _switch_to_wal(connection)
    connection.execute("PRAGMA synchronous = FULL")


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """Readers and the writer do not wait for each other in WAL. SQLite skips its busy timeout for the switch."""
    give_up_at = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > give_up_at:
                raise
            time.sleep(0.05)


def _begin(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
