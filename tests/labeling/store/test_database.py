"""Connections, transactions, and what a broken database is told as."""

from __future__ import annotations

import sqlite3
import traceback
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from labeling.errors import InvalidInput, StoreError
from labeling.store import database as module
from labeling.store.database import Database, now
from labeling.store.ledger import open_ledger
from labeling.store.tables import audit
from tests.contracts.records import item
from tests.labeling.store import processes
from tests.postgres import PostgresServer

REGISTER_FOREVER = """
import sys
from labeling.store.ledger import open_ledger
from tests.contracts.records import item
ledger = open_ledger(sys.argv[1])
for batch in range(10_000):
    ledger.items.register([item(batch * 500 + number) for number in range(500)], lake_version=batch + 1)
    print(batch, flush=True)
"""


def url(path: Path) -> str:
    return f"sqlite:///{path}/ledger.db"


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "nonsense",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:x?mode=ro&uri=true",
        "mysql://root@localhost/x",
    ],
)
def test_a_url_that_is_none_is_refused(bad: str) -> None:
    with pytest.raises(InvalidInput, match=r"ledger_url.*sqlite:///FILE"):
        Database(bad)


def test_sqlite_is_set_up_for_safety(tmp_path: Path) -> None:
    database = Database(url(tmp_path / "made" / "on the way"))
    with database.read() as connection:
        settings = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        found = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in settings}
    database.close()
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000}


def test_a_reader_goes_on_while_somebody_writes(tmp_path: Path) -> None:
    ledger = open_ledger(url(tmp_path))
    ledger.audit.add("ann", "a", "b")
    database = Database(url(tmp_path))
    with database.write() as writing, database.read() as reading:
        query = sa.select(sa.func.count()).select_from(audit)
        writing.execute(sa.delete(audit))
        assert (reading.execute(query).scalar(), writing.execute(query).scalar()) == (1, 0)
    assert ledger.audit.latest() == []
    database.close()
    ledger.close()


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    ledger = open_ledger(url(tmp_path))
    database = Database(url(tmp_path))

    def write_half() -> None:
        with database.write() as connection:
            row = {"actor": "ann", "action": "a", "target": "b", "detail": {}, "at": now(connection)}
            connection.execute(sa.insert(audit).values(row))
            raise RuntimeError("half-way")

    with pytest.raises(RuntimeError):
        write_half()
    assert ledger.audit.latest() == []
    database.close()
    ledger.close()


def test_a_writer_that_waits_too_long_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_ledger(url(tmp_path)).close()
    monkeypatch.setattr(module, "BUSY_TIMEOUT_S", 0)
    ledger = open_ledger(url(tmp_path))
    blocker = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="another process kept it locked"):
        ledger.audit.add("ann", "a", "b")
    assert ledger.audit.latest() == []
    blocker.close()
    ledger.close()


def test_a_full_disk_is_said_and_nothing_half_written(tmp_path: Path) -> None:
    ledger = open_ledger(url(tmp_path))

    def few_pages(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA max_page_count = 80")  # SQLite's own full disk

    sa.event.listen(ledger._database.engine, "connect", few_pages)
    ledger.close()  # empties the pool; the next connection is a new one
    with pytest.raises(StoreError, match=r"the disk is full; free some space"):
        ledger.items.register([item(number) for number in range(20_000)], lake_version=1)
    assert ledger.items.count() == 0
    ledger.close()
    ledger = open_ledger(url(tmp_path))
    ledger.items.register([item(number) for number in range(20_000)], lake_version=1)
    assert ledger.items.count() == 20_000
    ledger.close()


def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_text("dear diary, " * 1000)
    with pytest.raises(StoreError, match="this file is not a Goldfold ledger"):
        open_ledger(url(tmp_path))
    assert (tmp_path / "ledger.db").read_text().startswith("dear diary")


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"/proc.* cannot be made"):
        open_ledger("sqlite:////proc/goldfold/ledger.db")
    with pytest.raises(StoreError, match="its folder exists"):
        open_ledger(f"sqlite:///{tmp_path}")


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://goldfold:s3cr3t-word@127.0.0.1:1/x",
        "postgresql+psycopg://goldfold@127.0.0.1:1/x?password=s3cr3t-word",
        "postgresql://goldfold:s3cr3t-word@127.0.0.1:1/x?no_such_option=1",
    ],
)
def test_a_postgres_that_is_away_is_said_without_its_password(address: str) -> None:
    with pytest.raises(StoreError) as caught:
        open_ledger(address)
    assert "127.0.0.1:1" in str(caught.value)
    assert "s3cr3t" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.postgres
def test_a_postgres_database_that_is_not_there_is_said(postgres: PostgresServer) -> None:
    with pytest.raises(StoreError, match=r"PostgreSQL does not answer or refuses.*goldfold_nowhere"):
        open_ledger(postgres.url("goldfold_nowhere"))


@pytest.mark.postgres
def test_a_postgres_that_dropped_our_connections_is_found_again(postgres: PostgresServer) -> None:
    with postgres.database() as address:
        ledger = open_ledger(address)
        with postgres.connect() as admin:
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'goldfold%'")
        ledger.audit.add("ann", "a", "b")
        assert len(ledger.audit.latest()) == 1
        ledger.close()


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.0, 0.02])
def test_killed_in_a_write_it_holds_whole_batches(tmp_path: Path, seconds: float) -> None:
    processes.kill_after(processes.start(REGISTER_FOREVER, url(tmp_path)), lines=2, seconds=seconds)
    ledger = open_ledger(url(tmp_path))
    batches, rest = divmod(ledger.items.count(), 500)
    assert (batches >= 2, rest) == (True, 0)
    assert ledger.items.last_lake_version() == batches
    ledger.items.register([item(number) for number in range(batches * 500 + 500)], lake_version=batches + 1)
    assert ledger.items.count() == batches * 500 + 500
    ledger.close()
