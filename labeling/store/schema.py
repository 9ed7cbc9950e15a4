"""Bring a database's tables to what this code expects."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from labeling.errors import StoreError
from labeling.store.database import Database
from labeling.store.objection_tables import metadata

MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 7_046_029_254_386_353  # any number, as long as every process takes the same one


def upgrade(database: Database) -> None:
    """Run the migrations that are missing, in one transaction. Two processes may do it at once: one waits.

    Raises StoreError when a newer Goldfold made the tables, or when somebody else's are there.
    """
    head = _revisions()[0]
    with database.read() as connection:
        if _revision(connection) == head:
            return
    with database.alter() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        revision = _revision(connection)
        _check(database, connection, revision)
        if revision != head:
            command.upgrade(config(connection), "head")


def config(connection: sa.Connection) -> Config:
    """Alembic's configuration without a file, on a connection of ours."""
    made = Config()
    made.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    made.attributes["connection"] = connection
    return made


@cache
def _revisions() -> tuple[str, ...]:
    """Those that this code knows, the newest first; read once, as Alembic compiles every file to say it."""
    scripts = ScriptDirectory(str(MIGRATIONS))
    scripts.get_current_head()  # raises where there are two
    return tuple(script.revision for script in scripts.walk_revisions())


def _revision(connection: sa.Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _check(database: Database, connection: sa.Connection, revision: str | None) -> None:
    if revision is not None and revision not in _revisions():
        raise StoreError(f"the ledger {database.where} was made by a newer Goldfold ({revision}); upgrade this one")
    if revision is None and (taken := sorted(set(sa.inspect(connection).get_table_names()) & set(metadata.tables))):
        raise StoreError(
            f"the ledger {database.where} holds tables of the same names that are not Goldfold's "
            f"({', '.join(taken[:3])}); give it a database of its own"
        )
