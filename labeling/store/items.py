"""The registry of items: who is known, by which content, and in which version of the lake."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import sqlalchemy as sa

from labeling.errors import Conflict, DuplicateItem, NotFound
from labeling.records import Item, RegisteredItem
from labeling.store.database import Database, now
from labeling.store.rows import NAMED, insert_missing, load, name_some, select_in
from labeling.store.tables import erasures, items, legal_stops

SURROGATES, AFTER_SURROGATES = 0xD800, 0xE000  # between the two lies nothing that a database can hold
_PRESENT = sa.select(items).where(items.c.gone_at.is_(None))


class SqlItems:
    """``ItemRegistry`` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def known(self, external_ids: Sequence[str]) -> dict[str, RegisteredItem]:
        with self._database.read() as connection:
            rows = select_in(connection, _PRESENT, items.c.external_id, external_ids)
            return {row["external_id"]: load(RegisteredItem, row) for row in rows}

    def stopped(self, external_ids: Sequence[str], content_hashes: Sequence[str]) -> tuple[set[str], set[str]]:
        """Stops that were lifted do not count."""
        stops = sa.select(legal_stops.c.external_id, legal_stops.c.content_hash).where(
            legal_stops.c.lifted_at.is_(None)
        )
        with self._database.read() as connection:
            by_id = {r["external_id"] for r in select_in(connection, stops, legal_stops.c.external_id, external_ids)}
            by_hash = {
                r["content_hash"] for r in select_in(connection, stops, legal_stops.c.content_hash, content_hashes)
            }
            by_id |= _erased(connection, external_ids)
        return by_id, by_hash

    def register(self, items_: Sequence[Item], lake_version: int) -> None:
        """Also refuses a batch that holds one external id with two contents, or an item id of another external id.
        An item that was gone, since a stop that was lifted, is there again. Raises Conflict for one that is stopped."""
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
            _refuse_stopped(connection, list(wanted.values()))
            added = set(insert_missing(connection, items, rows, items.c.external_id))
            _return(connection, [row for row in rows if row["external_id"] not in added])
            _check_same(connection, [item for external_id, item in wanted.items() if external_id not in added])

    def unknown_ids(self, item_ids: Sequence[str]) -> list[str]:
        with self._database.read() as connection:
            known = set(known_item_ids(connection, item_ids))
        return [item_id for item_id in dict.fromkeys(item_ids) if item_id not in known]

    def ids(self, lake_version: int | None = None, modality: str | None = None) -> list[str]:
        query = sa.select(items.c.item_id).where(items.c.gone_at.is_(None)).order_by(items.c.item_id)
        if modality is not None:
            query = query.where(items.c.modality == modality)
        if lake_version is not None:
            query = query.where(items.c.lake_version <= lake_version)
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())

    def by_id(self, item_ids: Sequence[str]) -> dict[str, RegisteredItem]:
        with self._database.read() as connection:
            rows = select_in(connection, _PRESENT, items.c.item_id, item_ids)
            return {row["item_id"]: load(RegisteredItem, row) for row in rows}

    def named(self, name: str) -> RegisteredItem:
        with self._database.read() as connection:
            for column in (items.c.external_id, items.c.item_id):
                row = connection.execute(sa.select(items).where(column == name)).mappings().one_or_none()
                if row is not None:
                    return load(RegisteredItem, row)
        raise NotFound(f"no item has the external id {name!r}")

    def copies(self, content_hash: str) -> list[RegisteredItem]:
        query = _PRESENT.where(items.c.content_hash == content_hash).order_by(items.c.item_id)
        with self._database.read() as connection:
            return [load(RegisteredItem, row) for row in connection.execute(query).mappings()] if content_hash else []

    def starting(self, prefix: str, *, after: str = "", limit: int) -> list[RegisteredItem]:
        found = items.c.external_id
        # One bound: of two a database would look for one, and read past all that lies before the other.
        begin = found > after if after and after >= prefix else found >= prefix
        query = _PRESENT.where(begin).order_by(found).limit(limit)
        end = _end_of(prefix)
        with self._database.read() as connection:
            rows = connection.execute(query if end is None else query.where(found < end)).mappings()
            return [load(RegisteredItem, row) for row in rows]

    def last_lake_version(self) -> int:
        with self._database.read() as connection:
            return connection.execute(sa.select(sa.func.max(items.c.lake_version))).scalar_one() or 0

    def count(self) -> int:
        with self._database.read() as connection:
            present = sa.select(sa.func.count()).select_from(items).where(items.c.gone_at.is_(None))
            return connection.execute(present).scalar_one()


def _end_of(prefix: str) -> str | None:
    """The least text behind all that start with ``prefix``, by code point; None where there is none."""
    kept = prefix.rstrip(chr(sys.maxunicode))
    if not kept:
        return None
    last = ord(kept[-1]) + 1
    return kept[:-1] + chr(AFTER_SURROGATES if last == SURROGATES else last)


def known_item_ids(connection: sa.Connection, item_ids: Sequence[str]) -> list[str]:
    """Those that are registered, and not gone."""
    rows = select_in(connection, _PRESENT, items.c.item_id, item_ids)
    return [row["item_id"] for row in rows]


def _refuse_stopped(connection: sa.Connection, items_: Sequence[Item]) -> None:
    """The ledger's own gate, whoever brings them: content that was stopped never becomes an item again."""
    stops = sa.select(legal_stops.c.content_hash, legal_stops.c.external_id).where(legal_stops.c.lifted_at.is_(None))
    hashes = [item.content_hash for item in items_]
    found = {row["content_hash"] for row in select_in(connection, stops, legal_stops.c.content_hash, hashes)}
    named = [item.external_id for item in items_]
    found_ids = {row["external_id"] for row in select_in(connection, stops, legal_stops.c.external_id, named)}
    found_ids |= _erased(connection, named)
    stopped = [i.external_id for i in items_ if i.content_hash in found or i.external_id in found_ids]
    if stopped:
        raise Conflict(f"items that were stopped for legal reasons, or erased: {name_some(stopped)}; leave them out")


def _erased(connection: sa.Connection, external_ids: Sequence[str]) -> set[str]:
    query = sa.select(erasures.c.external_id)
    return {row["external_id"] for row in select_in(connection, query, erasures.c.external_id, external_ids)}


def _return(connection: sa.Connection, rows: Sequence[dict[str, object]]) -> None:
    """Items that were gone and come with the same content are there again, in the lake's version that holds them."""
    named = [str(row["external_id"]) for row in rows]
    query = sa.select(items.c.external_id).where(items.c.gone_at.is_not(None))
    gone = {row["external_id"] for row in select_in(connection, query, items.c.external_id, named)}
    for row in [row for row in rows if row["external_id"] in gone]:
        connection.execute(
            sa.update(items)
            .where(
                items.c.external_id == row["external_id"],
                items.c.content_hash == row["content_hash"],
                items.c.gone_at.is_not(None),
            )
            .values(gone_at=None, lake_version=row["lake_version"], registered_at=row["registered_at"])
        )


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
