"""The ledger's contract on SQLite and on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from labeling.store.database import Database
from labeling.store.ledger import open_ledger
from labeling.store.schema import upgrade
from labeling.store.tables import metadata
from tests.contracts.ledger import Opener
from tests.contracts.ledger_service import LedgerContract
from tests.postgres import PostgresServer


class TestSqliteLedger(LedgerContract):
    @pytest.fixture
    def opener(self, tmp_path: Path) -> Opener:
        return lambda: open_ledger(f"sqlite:///{tmp_path}/ledger.db")


@pytest.fixture(scope="session")
def shared_url(postgres: PostgresServer) -> Iterator[str]:
    """One database for the class, emptied before each test: a database for each would take a second."""
    with postgres.database() as url:
        yield url


@pytest.mark.postgres
class TestPostgresLedger(LedgerContract):
    @pytest.fixture
    def opener(self, shared_url: str) -> Opener:
        ledger_database = Database(shared_url)
        upgrade(ledger_database)
        names = ", ".join(metadata.tables)
        with ledger_database.write() as connection:
            connection.exec_driver_sql("SET LOCAL lock_timeout = '10s'")  # a test that left a connection fails here
            connection.exec_driver_sql(f"TRUNCATE {names} RESTART IDENTITY")
        ledger_database.close()
        return lambda: open_ledger(shared_url)
