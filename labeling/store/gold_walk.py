"""The event chain and the golden set read through once, so that they can be checked without being held."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from itertools import groupby

import sqlalchemy as sa

from labeling.errors import IntegrityError
from labeling.golden_records import RELEASES, GoldChain, GoldEvent, NewestEvent
from labeling.records import GoldAction, GoldenItem
from labeling.store.gold_chain import head
from labeling.store.gold_rows import columns_of, item_of
from labeling.store.rows import IN_CHUNK
from labeling.store.tables import gold_events, golden_items

Pair = tuple[str, str]  # item id, policy id
_EVENT = [gold_events.c[field.name] for field in fields(GoldEvent)]
_ACTION = [field.name for field in fields(GoldEvent)].index("action")


def walk(connection: sa.Connection) -> GoldChain:
    """What ``connection`` sees; it must be in one transaction until the last row is read."""
    erased = sa.select(gold_events.c.item_id).where(gold_events.c.action == GoldAction.ERASED.value)
    ids = frozenset(connection.execute(erased).scalars())
    connection = connection.execution_options(yield_per=IN_CHUNK)
    return GoldChain(head(connection), ids, _events(connection), _items(connection))


def _events(connection: sa.Connection) -> Iterator[GoldEvent]:
    for row in connection.execute(sa.select(*_EVENT).order_by(gold_events.c.number)):
        values = list(row)
        values[_ACTION] = _action(row.number, values[_ACTION])
        yield GoldEvent(*values)


def _action(number: int, value: str) -> GoldAction:
    try:
        return GoldAction(value)
    except ValueError as error:
        raise IntegrityError(f"event {number}: {value!r} is no action; it was changed, restore a backup") from error


def _items(connection: sa.Connection) -> Iterator[tuple[Pair, GoldenItem | None, NewestEvent | None]]:
    """Both sides lie in one order, so they are walked side by side."""
    query = sa.select(*columns_of(golden_items)).order_by(golden_items.c.item_id, golden_items.c.policy_id)
    items, events = map(item_of, connection.execute(query)), _newest(connection)
    item, (pair, event) = next(items, None), next(events, _NONE)
    while item is not None or event is not None:
        mine = _LAST if item is None else (False, item.item_id, item.policy_id)
        theirs = _LAST if event is None else (False, *pair)
        first = min(mine, theirs)
        yield first[1:], item if mine == first else None, event if theirs == first else None
        if mine == first:
            item = next(items, None)
        if theirs == first:
            pair, event = next(events, _NONE)


def _newest(connection: sa.Connection) -> Iterator[tuple[Pair, NewestEvent | None]]:
    events = gold_events.c
    has_row = events.row.is_not(sa.null())
    query = sa.select(events.item_id, events.policy_id, events.number, events.action, events.row_sha256, has_row)
    query = query.where(events.action.not_in([action.value for action in RELEASES]))
    rows = connection.execute(query.order_by(events.item_id, events.policy_id, events.number))
    for pair, group in groupby(rows, key=lambda row: (row[0], row[1])):
        number, action, row_sha256, there = list(group)[-1][2:]
        yield pair, NewestEvent(number, _action(number, action), row_sha256, bool(there))


_NONE: tuple[Pair, None] = (("", ""), None)
_LAST = (True, "", "")  # behind every pair
