"""Appeals, reports and other signals in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from labeling.errors import Conflict
from labeling.signal_records import AppealOutcome, Signal, Taken
from labeling.store.database import Database
from labeling.store.rows import dump, insert_missing, load, name_some, select_in
from labeling.store.signal_interface import Count, Key
from labeling.store.signal_tables import signals
from labeling.store.tasks import check_items


class SqlSignals:
    """``Signals`` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, signals: Sequence[Signal]) -> Taken:
        with self._database.write() as connection:
            return _add(connection, sorted(signals, key=lambda one: one.key))  # one order for all: no deadlock

    def find(self, keys: Sequence[Key]) -> dict[Key, Signal]:
        with self._database.read() as connection:
            return _find(connection, keys)

    def within(self, since: datetime, until: datetime, *, project: str = "") -> list[Signal]:
        query = sa.select(signals).where(_said_in(since, until))
        if project:
            query = query.where(signals.c.project == project)
        query = query.order_by(signals.c.at, signals.c.kind, signals.c.signal_id)
        with self._database.read() as connection:
            return [load(Signal, row) for row in connection.execute(query).mappings()]

    def count(self, since: datetime, until: datetime) -> dict[Count, int]:
        group = (signals.c.project, signals.c.kind, signals.c.outcome)
        query = sa.select(*group, sa.func.count()).where(_said_in(since, until)).group_by(*group)
        with self._database.read() as connection:
            found = {(project, kind, outcome or ""): n for project, kind, outcome, n in connection.execute(query)}
        return dict(sorted(found.items()))


def erase_signals(connection: sa.Connection, item_id: str, at: datetime) -> None:
    """What signals say of an item goes: an appeal's outcome, and the language. That there was one, and when, stays."""
    gone = {"outcome": None, "language": "und", "erased_at": at}
    connection.execute(sa.update(signals).where(signals.c.item_id == item_id).values(gone))


def _add(connection: sa.Connection, given: Sequence[Signal]) -> Taken:
    check_items(connection, [one.item_id for one in given])
    added = insert_missing(connection, signals, [dump(one) for one in given], signals.c.signal_id)
    there = _find(connection, [one.key for one in given])
    settled = [one for one in given if one.settles(there[one.key])]
    for one in settled:
        _settle(connection, one)
    other = sorted({one.signal_id for one in given if one not in settled and not one.says_as(there[one.key])})
    if other:
        raise Conflict(f"signal_id: {name_some(other)} is there already with other content; use another id")
    return Taken(len(added), len(settled))


def _settle(connection: sa.Connection, one: Signal) -> None:
    """Nothing where somebody else has settled it meanwhile with the same outcome; Conflict with another."""
    mine = sa.and_(signals.c.kind == one.kind.value, signals.c.signal_id == one.signal_id)
    is_open = signals.c.outcome == AppealOutcome.PENDING.value
    outcome = one.outcome.value if one.outcome else None
    changed = connection.execute(sa.update(signals).where(mine, is_open).values(outcome=outcome)).rowcount
    if not changed and not one.says_as(_find(connection, [one.key])[one.key]):
        raise Conflict(f"signal_id: {one.signal_id!r} is there already with other content; use another id")


def _find(connection: sa.Connection, keys: Sequence[Key]) -> dict[Key, Signal]:
    wanted = set(keys)
    rows = select_in(connection, sa.select(signals), signals.c.signal_id, sorted({key[1] for key in wanted}))
    found = {(row["kind"], row["signal_id"]): row for row in rows}
    return {key: load(Signal, row) for key, row in found.items() if key in wanted}


def _said_in(since: datetime, until: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(signals.c.at >= since, signals.c.at < until)
