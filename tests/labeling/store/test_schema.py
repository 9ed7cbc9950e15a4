"""Migrations bring any database to what the tables say, also when two processes open it at once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from labeling.errors import Conflict, StoreError
from labeling.records import RegisteredItem
from labeling.store.annotations import SqlAnnotations
from labeling.store.database import Database
from labeling.store.items import SqlItems
from labeling.store.projects import SqlProjects
from labeling.store.schema import config, upgrade
from labeling.store.tables import metadata
from labeling.store.tasks import SqlTasks
from tests.labeling.store import processes
from tests.postgres import PostgresServer

OPEN = """
import sys
from labeling.store.ledger import open_ledger
print("ready", flush=True)
sys.stdin.readline()
ledger = open_ledger(sys.argv[1])
print(ledger.items.count())
ledger.close()
"""


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/ledger.db"
        return
    with request.getfixturevalue("postgres").database() as url:
        yield url


@pytest.fixture
def database(address: str) -> Iterator[Database]:
    opened = Database(address)
    yield opened
    opened.close()


def difference(database: Database) -> list[Any]:
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, metadata))


def test_migrations_make_what_the_tables_say(database: Database) -> None:
    assert difference(database) != []
    upgrade(database)
    upgrade(database)
    assert difference(database) == []


@pytest.mark.postgres
def test_postgres_sorts_text_by_code_point_whatever_its_language(postgres: PostgresServer) -> None:
    columns = sa.text(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' AND "
        "data_type = 'character varying' AND table_name <> 'alembic_version' AND collation_name IS DISTINCT FROM 'C'"
    )
    with postgres.database() as url:
        database = Database(url)
        upgrade(database)
        with database.read() as connection:
            assert connection.execute(columns).all() == []
        database.close()


def test_down_to_nothing_and_up_again(database: Database) -> None:
    upgrade(database)
    with database.alter() as connection:
        command.downgrade(config(connection), "base")
    with database.read() as connection:
        assert sa.inspect(connection).get_table_names() == ["alembic_version"]
    upgrade(database)
    assert difference(database) == []


def test_items_of_a_ledger_without_modality_are_texts(database: Database) -> None:
    with database.write() as connection:
        command.upgrade(config(connection), "0001")
        connection.exec_driver_sql(
            "INSERT INTO items (item_id, external_id, content_hash, lake_version, registered_at) "
            "VALUES ('it-1', 'ext-1', 'hash', 1, '2026-01-31 12:00:00+00:00')"
        )
    upgrade(database)
    assert SqlItems(database).by_id(["it-1"]) == {"it-1": RegisteredItem("it-1", "ext-1", "hash", 1, "text")}
    with database.alter() as connection:
        command.downgrade(config(connection), "0001")
    with database.read() as connection:
        assert "modality" not in {column["name"] for column in sa.inspect(connection).get_columns("items")}
    upgrade(database)
    assert difference(database) == []


def test_a_ledger_at_work_is_brought_up_to_date(database: Database) -> None:
    at = "'2026-01-31 12:00:00+00:00'"
    task = "(task_id, kind, round_id, item_id, policy_id, policy_version, text, content_hash, overlap, state, "
    task += "parent_task_id, error, created_at, updated_at, prompt) VALUES"
    rows = [
        f"items (item_id, external_id, content_hash, lake_version, registered_at) VALUES ('i', 'e', 'h', 1, {at})",
        "rounds (round_id, state, seed, plan, frame, scorer_version, notes, created_at, updated_at) "
        f"VALUES ('r', 'open', 1, '{{}}', '{{}}', 's', '[]', {at}, {at})",
        f"tasks {task} ('t', 'blind', 'r', 'i', 'hate', '1.0.0', 'x', 'h', 2, 'sent', NULL, '', {at}, {at}, '')",
        f"tasks {task} ('u', 'adjudication', 'r', 'i', 'hate', '1.0.0', 'x', 'h', 1, 'sent', 't', '', {at}, {at}, '')",
        "annotation_events (task_id, studio_annotation_id, kind, annotator, updated_by, studio_updated_at, detail, "
        f"seen_at) VALUES ('t', 1, 'skipped', 'a', 'a', {at}, '', {at})",
        "projects (base_url, project_id, policy_id, policy_version, kind, config_sha256, created_at) "
        f"VALUES ('http://x', 1, 'hate', '1.0.0', 'blind', 'c', {at})",
    ]
    with database.write() as connection:
        command.upgrade(config(connection), "0002")
        for row in rows:
            connection.exec_driver_sql(f"INSERT INTO {row}")
    upgrade(database)
    for turn in range(2):
        assert difference(database) == []
        tasks = SqlTasks(database).where()
        assert [(t.task_id, t.parent_task_id, t.assignee, t.position, t.extra) for t in tasks] == [
            ("t", None, "", 0, 0),
            ("u", "t", "", 0, 0),
        ]
        assert len(SqlAnnotations(database).events("t")) == 1
        assert [(p.assignee, p.desk) for p in SqlProjects(database).all()] == [("", 0)]
        with pytest.raises(Conflict), database.write() as connection:
            connection.exec_driver_sql("DELETE FROM tasks WHERE task_id = 't'")  # foreign keys hold again
        if turn == 0:
            with database.alter() as connection:
                command.downgrade(config(connection), "0002")
            upgrade(database)


@pytest.mark.parametrize("fails", [False, True])
def test_rows_that_name_nothing_are_found_when_tables_change(tmp_path: Path, fails: bool) -> None:
    database = Database(f"sqlite:///{tmp_path}/ledger.db")
    upgrade(database)
    with contextlib.ExitStack() as stack:
        if fails:
            stack.enter_context(pytest.raises(StoreError, match="rows name others that are gone"))
        with database.alter() as connection:
            if fails:
                connection.exec_driver_sql(
                    "INSERT INTO golden_versions (version, parent, merkle_root, manifest_path, counts, created_at) "
                    "VALUES ('1', 'gone', 'm', 'p', '{}', '2026-01-01')"
                )
    with database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1
        assert connection.exec_driver_sql("SELECT count(*) FROM golden_versions").scalar_one() == 0
    database.close()


def test_a_migration_that_fails_leaves_nothing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr("sqlalchemy.dialects.sqlite.base.SQLiteDDLCompiler.visit_create_index", fail)
        patch.setattr("sqlalchemy.dialects.postgresql.base.PGDDLCompiler.visit_create_index", fail)
        with pytest.raises(RuntimeError, match="power cut"):
            upgrade(database)
    with database.read() as connection:
        assert sa.inspect(connection).get_table_names() == []
    upgrade(database)
    assert difference(database) == []


def test_a_newer_ledger_is_left_alone(database: Database) -> None:
    upgrade(database)
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match=r"made by a newer Goldfold \(9999\)"):
        upgrade(database)


def test_somebody_elses_tables_are_left_alone(database: Database) -> None:
    with database.write() as connection:
        connection.exec_driver_sql("CREATE TABLE items (mine INTEGER)")
    with pytest.raises(StoreError, match=r"not Goldfold's \(items\)"):
        upgrade(database)
    with database.read() as connection:
        assert sa.inspect(connection).get_table_names() == ["items"]


@pytest.mark.slow
def test_two_processes_may_open_a_new_ledger_at_once(address: str) -> None:
    both = [processes.start(OPEN, address) for _ in range(2)]
    for process in both:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in both:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [processes.finish(process) for process in both] == ["0\n", "0\n"]
