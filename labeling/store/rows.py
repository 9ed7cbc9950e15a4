"""Between records and rows: plain values in, frozen records out, and the few SQL shapes that repositories share."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from functools import cache
from typing import Any, TypeVar

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.dialects import postgresql, sqlite

T = TypeVar("T")
Row = dict[str, Any]

IN_CHUNK = 5000  # SQLite takes 32,766 variables a statement, PostgreSQL 65,535
NAMED = 5  # how many offenders a message names


def dump(record: Any) -> Row:
    """A record as a row: enums by value, tuples as lists, nested records as dicts."""
    return {field.name: _plain(getattr(record, field.name)) for field in dataclasses.fields(record)}


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if dataclasses.is_dataclass(value):
        return dump(value)
    return dict(value) if isinstance(value, Mapping) else value


def load(kind: type[T], row: sa.RowMapping | Row) -> T:
    """A row (or more than it: other columns are left out) as a record."""
    record: T = _adapter(kind).validate_python(dict(row))
    return record


def dump_json(record: Any) -> Row:
    """A record with times as ISO 8601 too, for a JSON column."""
    dumped: Row = _adapter(type(record)).dump_python(record, mode="json")
    return dumped


_adapters: dict[type[Any], TypeAdapter[Any]] = {}  # building one takes a millisecond


def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


def chunks(values: Sequence[T], size: int = IN_CHUNK) -> Iterator[Sequence[T]]:
    """Slices of at most ``size``."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def name_some(values: Sequence[str]) -> str:
    """The first few, for a message."""
    more = len(values) - NAMED
    return ", ".join(repr(value) for value in values[:NAMED]) + (f" and {more} more" if more > 0 else "")


def select_in(
    connection: sa.Connection, query: sa.Select[Any], column: sa.ColumnElement[Any], values: Sequence[Any]
) -> Iterator[sa.RowMapping]:
    """Rows of ``query`` whose ``column`` is one of ``values``, chunk by chunk."""
    for part in chunks(list(dict.fromkeys(values))):
        yield from connection.execute(query.where(among(connection, column, part))).mappings()


def among(connection: sa.Connection, column: sa.ColumnElement[T], values: Sequence[T]) -> sa.ColumnElement[bool]:
    """``column`` is one of ``values``: one array for PostgreSQL, to which thousands of variables are slow."""
    if connection.dialect.name == "postgresql":
        return column == sa.any_(sa.literal(list(values), postgresql.ARRAY(column.type)))
    return column.in_(values)


def insert_missing(connection: sa.Connection, table: sa.Table, rows: Sequence[Row], returning: sa.Column[T]) -> list[T]:
    """Insert rows that hit no unique key; return ``returning`` of those inserted, in no order."""
    if not rows:
        return []
    statement = upsert_into(connection, table).on_conflict_do_nothing().returning(returning)
    return list(connection.execute(statement, list(rows)).scalars())


def upsert_into(connection: sa.Connection, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that can say ON CONFLICT in the connection's dialect."""
    return _upsert(connection.dialect.name, table)


def insert_row(connection: sa.Connection, table: sa.Table, row: Row) -> None:
    """Insert a row. Raises ValueError when it has what the table has no column for."""
    connection.execute(_inserting(table, tuple(row)), row)


def replace_row(connection: sa.Connection, table: sa.Table, row: Row) -> None:
    """Insert a row, or overwrite the one with its primary key. Raises as ``insert_row``."""
    connection.execute(_replacing(connection.dialect.name, table, tuple(row)), row)


@cache
def _inserting(table: sa.Table, names: tuple[str, ...]) -> sa.Insert:
    _check_columns(table, names)
    return sa.insert(table)


@cache
def _replacing(dialect: str, table: sa.Table, names: tuple[str, ...]) -> postgresql.Insert | sqlite.Insert:
    """Made once: SQLAlchemy needs longer for it than the database for the row."""
    _check_columns(table, names)
    key = [column.name for column in table.primary_key]
    statement = _upsert(dialect, table)
    rest = {name: statement.excluded[name] for name in names if name not in key}
    return statement.on_conflict_do_update(index_elements=key, set_=rest)


def _check_columns(table: sa.Table, names: tuple[str, ...]) -> None:
    """SQLAlchemy leaves out of parameters, without a word, what is no column."""
    if unknown := sorted(set(names) - set(table.c.keys())):
        raise ValueError(f"the table {table.name} has no column {', '.join(unknown)}")


def _upsert(dialect: str, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
