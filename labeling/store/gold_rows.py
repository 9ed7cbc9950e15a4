"""Golden rows out of the ledger, many at a time: pages of them as columns, or as records without a validator's price
for each."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from labeling.errors import IntegrityError
from labeling.golden.columns import KINDS, page_of
from labeling.records import GoldenItem
from labeling.store.rows import IN_CHUNK
from labeling.store.tables import golden_members

_NAMES = tuple(field.name for field in dataclasses.fields(GoldenItem))
_ITEM, _POLICY = _NAMES.index("item_id"), _NAMES.index("policy_id")
_VOTES = _NAMES.index("votes")
Execute = Callable[[sa.Select[Any]], Sequence[Any]]


_KINDS = [
    (_NAMES.index(name), {None: None} | {member.value: member for member in kind}) for name, kind in KINDS.items()
]


def columns_of(table: sa.FromClause, names: Sequence[str] = _NAMES) -> list[sa.ColumnElement[Any]]:
    """The columns of a golden item, those that ``item_of`` reads and in its order; votes as they are written."""
    return [sa.cast(table.c[name], sa.Text) if name == "votes" else table.c[name] for name in names]


def item_of(row: Sequence[Any]) -> GoldenItem:
    """A row of ``columns_of``. Raises IntegrityError where a value is none of its kind."""
    values = list(row)
    try:
        for place, members in _KINDS:
            values[place] = members[values[place]]
        values[_VOTES] = dict(_votes(values[_VOTES]))
    except (KeyError, ValueError, TypeError) as error:
        raise IntegrityError(
            f"golden item {row[_ITEM]}, policy {row[_POLICY]}: a value of it is damaged ({error}); restore a backup"
        ) from error
    return GoldenItem(*values)


def pages(execute: Execute, table: sa.FromClause, query: sa.Select[Any]) -> Iterator[GoldenItem]:
    """The items of ``query``, which selects ``columns_of(table)``, by item and policy; each page is one ``execute``."""
    return map(item_of, chain.from_iterable(_paged(execute, table, query)))


def column_pages(
    execute: Execute, table: sa.FromClause, names: Sequence[str], *where: sa.ColumnElement[bool]
) -> Iterator[pa.RecordBatch]:
    """``page_of`` the rows that ``where`` says, by item and policy; each page is one ``execute``."""
    query = sa.select(*columns_of(table, names)).where(*where)
    return (page_of(rows, names) for rows in _paged(execute, table, query, policy=1) if rows)


def _paged(
    execute: Execute, table: sa.FromClause, query: sa.Select[Any], policy: int = _POLICY
) -> Iterator[Sequence[Any]]:
    """Pages of rows; ``policy``: the place of the policy's id in a row, where that of the item's is the first."""
    key = sa.tuple_(table.c.item_id, table.c.policy_id)
    query = query.order_by(table.c.item_id, table.c.policy_id).limit(IN_CHUNK)
    after = ("", "")
    while True:
        rows = execute(query.where(key > sa.tuple_(*after)))
        yield rows
        if len(rows) < IN_CHUNK:
            return
        after = (rows[-1][_ITEM], rows[-1][policy])


def differing(execute: Execute, before: str, after: str) -> Iterator[tuple[GoldenItem, GoldenItem | None]]:
    """The rows of the version ``before`` that ``after`` lacks (None) or holds with other columns, by item and policy;
    of a few the columns differ and what they say does not, as votes in another order."""
    one, other = golden_members.alias("before_"), golden_members.alias("after_")
    same = sa.and_(other.c.version == after, other.c.item_id == one.c.item_id, other.c.policy_id == one.c.policy_id)
    unlike = [a.is_distinct_from(b) for a, b in zip(columns_of(one), columns_of(other), strict=True)]
    query = sa.select(*_named(one, "a"), *_named(other, "b")).select_from(one.outerjoin(other, same))
    query = query.where(one.c.version == before, sa.or_(*unlike))
    for row in chain.from_iterable(_paged(execute, one, query)):
        ours, theirs = row[: len(_NAMES)], row[len(_NAMES) :]
        yield item_of(ours), None if theirs[0] is None else item_of(theirs)


def added(execute: Execute, before: str, after: str) -> Iterator[tuple[None, GoldenItem]]:
    """The rows of the version ``after`` that ``before`` lacks, by item and policy."""
    one, other = golden_members.alias("before_"), golden_members.alias("after_")
    same = sa.and_(one.c.version == before, one.c.item_id == other.c.item_id, one.c.policy_id == other.c.policy_id)
    query = sa.select(*columns_of(other)).select_from(other.outerjoin(one, same))
    query = query.where(other.c.version == after, one.c.item_id.is_(None))
    return ((None, item) for item in pages(execute, other, query))


def _named(table: sa.FromClause, prefix: str) -> list[sa.ColumnElement[Any]]:
    """One name a column, so that two tables' do not meet."""
    return [column.label(f"{prefix}_{name}") for column, name in zip(columns_of(table), _NAMES, strict=True)]


@lru_cache(maxsize=4096)
def _votes(written: str) -> dict[str, int]:
    """Many rows have the same."""
    found: dict[str, int] = json.loads(written)
    return found
