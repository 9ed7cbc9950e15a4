"""The registry of items: who is known, by which content, and in which version of the lake."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from labeling.errors import DuplicateItem
from labeling.records import Item, RegisteredItem
from labeling.store.database import Database, now
from labeling.store.rows import NAMED, insert_missing, load, select_in
from labeling.store.tables import items


class SqlItems:
    """``ItemRegistry`` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def known(self, external_ids: Sequence[str]) -> dict[str, RegisteredItem]:
        with self._database.read() as connection:
            rows = select_in(connection, sa.select(items), items.c.external_id, external_ids)
            return {row["external_id"]: load(RegisteredItem, row) for row in rows}

    def register(self, items_: Sequence[Item], lake_version: int) -> None:
        """Also refuses a batch that holds one external id with two contents, or an item id of another external id."""
        wanted = _distinct(items_)
        with self._database.write() as connection:
            at = now(connection)
            rows = [
                {
                    "item_id": item.item_id,
                    "external_id": item.external_id,
                    "content_hash": item.content_hash,
                    "lake_version": lake_version,
                    "registered_at": at,
                    "modality": item.modality,
                }
                for _, item in sorted(wanted.items())  # one order for all writers: no deadlock
            ]
            added = set(insert_missing(connection, items, rows, items.c.external_id))
            _check_same(connection, [item for external_id, item in wanted.items() if external_id not in added])

    def unknown_ids(self, item_ids: Sequence[str]) -> list[str]:
        with self._database.read() as connection:
            known = set(known_item_ids(connection, item_ids))
        return [item_id for item_id in dict.fromkeys(item_ids) if item_id not in known]

    def ids(self, lake_version: int | None = None, modality: str | None = None) -> list[str]:
        query = sa.select(items.c.item_id).order_by(items.c.item_id)
        if modality is not None:
            query = query.where(items.c.modality == modality)
        if lake_version is not None:
            query = query.where(items.c.lake_version <= lake_version)
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())

    def by_id(self, item_ids: Sequence[str]) -> dict[str, RegisteredItem]:
        with self._database.read() as connection:
            rows = select_in(connection, sa.select(items), items.c.item_id, item_ids)
            return {row["item_id"]: load(RegisteredItem, row) for row in rows}

    def last_lake_version(self) -> int:
        with self._database.read() as connection:
            return connection.execute(sa.select(sa.func.max(items.c.lake_version))).scalar_one() or 0

    def count(self) -> int:
        with self._database.read() as connection:
            return connection.execute(sa.select(sa.func.count()).select_from(items)).scalar_one()


def known_item_ids(connection: sa.Connection, item_ids: Sequence[str]) -> list[str]:
    """Those that are registered."""
    rows = select_in(connection, sa.select(items.c.item_id), items.c.item_id, item_ids)
    return [row["item_id"] for row in rows]


def _distinct(items_: Sequence[Item]) -> dict[str, Item]:
    wanted: dict[str, Item] = {}
    problems = []
    for row, item in enumerate(items_):
        first = wanted.setdefault(item.external_id, item)
        if (first.content_hash, first.item_id) != (item.content_hash, item.item_id):
            problems.append(f"row {row}: external_id {item.external_id!r} is there twice with different content")
    _refuse(problems)
    return wanted


def _check_same(connection: sa.Connection, there_already: Sequence[Item]) -> None:
    """Those that were not inserted must be the very items the ledger holds."""
    ids = [item.external_id for item in there_already]
    rows = {row["external_id"]: row for row in select_in(connection, sa.select(items), items.c.external_id, ids)}
    problems = []
    for item in there_already:
        row = rows.get(item.external_id)
        if row is None:
            problems.append(f"external_id {item.external_id!r}: its item id {item.item_id!r} belongs to another item")
        elif (row["content_hash"], row["item_id"]) != (item.content_hash, item.item_id):
            problems.append(f"external_id {item.external_id!r} is there already with other content; use another id")
    _refuse(problems)


def _refuse(problems: list[str]) -> None:
    if problems:
        more = len(problems) - NAMED
        raise DuplicateItem(
            "; ".join(problems[:NAMED]) + (f"; and {more} more" if more > 0 else ""), problems=tuple(problems)
        )
