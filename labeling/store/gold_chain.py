"""Appends to the golden set's event chain, inside a write of somebody else.

The head is locked before anything else of such a write: one order for all, so that no two writers wait for each other.
On SQLite a write holds the whole file anyway.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from labeling.errors import IntegrityError
from labeling.golden.chain import START, Head, event_hash, row_hash
from labeling.golden_records import GoldEvent
from labeling.records import GoldAction, GoldenItem
from labeling.store.database import for_update
from labeling.store.rows import Row, dump, dump_json, insert_missing, insert_row, load
from labeling.store.tables import gold_events, gold_head

HEAD = "gold"


def lock_chain(connection: sa.Connection) -> Head:
    """Take the head for this write; the last event's number and hash. A set without events gets its head here. Raises
    IntegrityError when the head is gone."""
    found = head(connection, lock=True)
    if found is None and connection.execute(sa.select(gold_events.c.seq).limit(1)).first() is None:
        start = {"name": HEAD, "number": START[0], "sha256": START[1]}
        insert_missing(connection, gold_head, [start], gold_head.c.name)
        found = head(connection, lock=True)
    if found is None:
        raise IntegrityError("the head of the golden set's event chain is gone; run goldfold golden verify")
    return found


def head(connection: sa.Connection, *, lock: bool = False) -> Head | None:
    """The last event's number and hash as the ledger keeps them; None: they are not there."""
    query = sa.select(gold_head.c.number, gold_head.c.sha256).where(gold_head.c.name == HEAD)
    row = connection.execute(for_update(connection, query) if lock else query).one_or_none()
    return None if row is None else (row.number, row.sha256)


def append_event(
    connection: sa.Connection, item: GoldenItem, action: GoldAction, actor: str, reason: str, at: datetime
) -> GoldEvent:
    """The event that ``item`` is as it says from now on."""
    row: Row = dump_json(item)
    return _append(connection, row, (item.item_id, item.policy_id, item.adjudication_id), action, actor, reason, at)


def append_release(
    connection: sa.Connection,
    action: GoldAction,
    told: Row,
    actor: str,
    reason: str,
    at: datetime,
    about: tuple[str, str] = ("", ""),
) -> GoldEvent:
    """The event that something happened to a version; ``told`` names it (``version``) and says what. ``about``: the
    item and policy of a row of it."""
    return _append(connection, told, (*about, None), action, actor, reason, at)


def append_erased(
    connection: sa.Connection, about: tuple[str, str], actor: str, reason: str, at: datetime
) -> GoldEvent:
    """The event that an item (item id, policy id or "") is erased; no row is left of it."""
    return _append(connection, None, (*about, None), GoldAction.ERASED, actor, reason, at)


def _append(
    connection: sa.Connection,
    row: Row | None,
    about: tuple[str, str, str | None],
    action: GoldAction,
    actor: str,
    reason: str,
    at: datetime,
) -> GoldEvent:
    number, last = lock_chain(connection)
    item_id, policy_id, adjudication_id = about
    bare = GoldEvent(
        number=number + 1,
        item_id=item_id,
        policy_id=policy_id,
        action=action,
        actor=actor,
        reason=reason,
        at=at,
        adjudication_id=adjudication_id,
        row=row,
        row_sha256=row_hash(row),
        previous=last,
        sha256="",
    )
    event = replace(bare, sha256=event_hash(bare))
    insert_row(connection, gold_events, dump(event))
    values = {"number": event.number, "sha256": event.sha256}
    connection.execute(sa.update(gold_head).where(gold_head.c.name == HEAD).values(values))
    return event


def read_events(connection: sa.Connection, *where: sa.ColumnElement[bool]) -> Iterable[GoldEvent]:
    """By number."""
    query = sa.select(gold_events).where(*where).order_by(gold_events.c.number)
    return [load(GoldEvent, row) for row in connection.execute(query).mappings()]
