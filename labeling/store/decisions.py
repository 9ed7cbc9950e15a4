"""Production's decisions in SQL, and the samples of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from labeling.cause_records import SLICE_KEYS
from labeling.decision_records import Decision, QaDay, Sampled, Source
from labeling.errors import Conflict
from labeling.store.audit import write_audit
from labeling.store.database import Database
from labeling.store.decision_interface import Cell, Key, Pair
from labeling.store.decision_tables import decisions, qa_days, qa_sample
from labeling.store.rows import dump, insert_missing, load, name_some, select_in
from labeling.store.tables import items
from labeling.store.tasks import check_items

_ORDER = ("project", "policy_id", "language", "outcome", "who")  # labeling.quality.daily_qa.DIMENSIONS
_SCAN_ROWS = 5000


class SqlDecisions:
    """``Decisions`` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, decisions: Sequence[Decision]) -> int:
        with self._database.write() as connection:
            return _add(connection, decisions)

    def find(self, keys: Sequence[Key]) -> dict[Key, Decision]:
        with self._database.read() as connection:
            return _find(connection, keys)

    def page(
        self,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        project: str = "",
        after: tuple[datetime, str, str] | None = None,
        limit: int = 100,
    ) -> list[Decision]:
        place = (decisions.c.decided_at, decisions.c.source, decisions.c.decision_id)
        query = sa.select(decisions).order_by(*place).limit(limit)
        if since is not None:
            query = query.where(decisions.c.decided_at >= since)
        if until is not None:
            query = query.where(decisions.c.decided_at < until)
        if project:
            query = query.where(decisions.c.project == project)
        if after is not None:
            at, source, decision_id = after
            later = sa.and_(
                decisions.c.decided_at == at,
                sa.tuple_(decisions.c.source, decisions.c.decision_id) > sa.tuple_(source, decision_id),
            )
            query = query.where(sa.or_(decisions.c.decided_at > at, later))
        with self._database.read() as connection:
            return [load(Decision, row) for row in connection.execute(query).mappings()]

    def count(self, since: datetime, until: datetime) -> dict[tuple[str, str], int]:
        group = (decisions.c.project, decisions.c.source)
        query = sa.select(*group, sa.func.count()).where(_within(since, until)).group_by(*group).order_by(*group)
        with self._database.read() as connection:
            return {(project, source): n for project, source, n in connection.execute(query)}

    def values(self, limit: int) -> dict[str, list[str]]:
        columns = {name: decisions.c["policy_id" if name == "policy" else name] for name in SLICE_KEYS}
        with self._database.read() as connection:
            return {
                name: list(
                    connection.scalars(sa.select(column).distinct().where(column != "").order_by(column).limit(limit))
                )
                for name, column in columns.items()
            }

    def cells(self, since: datetime, until: datetime, policies: Collection[str]) -> dict[Cell, int]:
        group = [decisions.c[name] for name in _ORDER]
        query = _frame(sa.select(*group, sa.func.count()), since, until, policies)
        with self._database.read() as connection:
            rows = connection.execute(query.group_by(*group).order_by(*group))
            return {(p, policy, lang, outcome, who): n for p, policy, lang, outcome, who, n in rows}

    def drawn(
        self,
        since: datetime,
        until: datetime,
        policies: Collection[str],
        level: Sequence[str],
        places: Mapping[tuple[str, ...], Collection[int]],
    ) -> list[Decision]:
        rest = [name for name in (*_ORDER, "lot", "source", "decision_id") if name not in level]
        query = _frame(sa.select(decisions), since, until, policies)
        query = query.order_by(*(decisions.c[name] for name in (*level, *rest)))
        found: list[Decision] = []
        last, place = None, 0
        with self._database.read() as connection:
            for row in connection.execution_options(yield_per=_SCAN_ROWS).execute(query).mappings():
                key = tuple(str(row[name]) for name in level)
                last, place = key, place + 1 if key == last else 0
                if place in places.get(key, ()):
                    found.append(load(Decision, row))
        return found

    def deciders(self, item_ids: Sequence[str]) -> dict[Pair, set[str]]:
        columns = sa.select(decisions.c.item_id, decisions.c.policy_id, decisions.c.who).distinct()
        query = columns.where(decisions.c.source == Source.HUMAN.value, decisions.c.who != "")
        found: dict[Pair, set[str]] = {}
        with self._database.read() as connection:
            for row in select_in(connection, query, decisions.c.item_id, item_ids):
                found.setdefault((row["item_id"], row["policy_id"]), set()).add(row["who"])
        return found

    def add_day(self, day: QaDay, sample: Sequence[Sampled]) -> bool:
        with self._database.write() as connection:
            if not insert_missing(connection, qa_days, [dump(day)], qa_days.c.day):
                return False
            if sample:
                connection.execute(sa.insert(qa_sample), [dump(one) for one in sample])
            return True

    def days(self) -> list[QaDay]:
        with self._database.read() as connection:
            rows = connection.execute(sa.select(qa_days).order_by(qa_days.c.day)).mappings()
            return [load(QaDay, row) for row in rows]

    def sample(self, days: Collection[str]) -> list[Sampled]:
        query = sa.select(qa_sample).order_by(qa_sample.c.day, qa_sample.c.source, qa_sample.c.decision_id)
        with self._database.read() as connection:
            return [load(Sampled, row) for row in select_in(connection, query, qa_sample.c.day, sorted(days))]

    def barred(self, round_id: str) -> dict[Pair, frozenset[str]]:
        query = sa.select(qa_sample.c.item_id, qa_sample.c.policy_id, qa_sample.c.barred)
        with self._database.read() as connection:
            rows = connection.execute(query.where(qa_sample.c.round_id == round_id))
            return {(item_id, policy_id): frozenset(barred) for item_id, policy_id, barred in rows}

    def rename(self, who: str, to: str, actor: str) -> int:
        mine = sa.and_(decisions.c.who == who, decisions.c.source == Source.HUMAN.value)
        with self._database.write() as connection:
            changed = connection.execute(sa.update(decisions).where(mine).values(who=to)).rowcount
            if changed:  # the old id is not kept: whoever is forgotten must not live on in the audit
                write_audit(connection, actor, "decisions.rename", to, {"decisions": changed})
            return int(changed)


def erase_decisions(connection: sa.Connection, item_id: str, at: datetime) -> None:
    """What decisions say of an item goes: outcome, rule, action and language. That there was a decision, by whom, where
    and when, stays, as do the ids."""
    gone = {"outcome": None, "rule": None, "action": "", "language": "und", "erased_at": at}
    connection.execute(sa.update(decisions).where(decisions.c.item_id == item_id).values(gone))
    connection.execute(sa.update(qa_sample).where(qa_sample.c.item_id == item_id).values(chance=0.5))


def _add(connection: sa.Connection, given: Sequence[Decision]) -> int:
    check_items(connection, [decision.item_id for decision in given])
    ordered = sorted(given, key=lambda decision: decision.key)  # one order for all writers: no deadlock
    added = insert_missing(connection, decisions, [dump(one) for one in ordered], decisions.c.decision_id)
    there = _find(connection, [one.key for one in ordered])
    other = sorted({one.key[1] for one in ordered if not one.says_as(there[one.key])})
    if other:
        raise Conflict(f"decision_id: {name_some(other)} is there already with other content; use another id")
    return len(added)


def _find(connection: sa.Connection, keys: Sequence[Key]) -> dict[Key, Decision]:
    wanted = set(keys)
    rows = select_in(connection, sa.select(decisions), decisions.c.decision_id, sorted({key[1] for key in wanted}))
    found = {(row["source"], row["decision_id"]): row for row in rows}
    return {key: load(Decision, row) for key, row in found.items() if key in wanted}


def _within(since: datetime, until: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(decisions.c.decided_at >= since, decisions.c.decided_at < until)


def _frame(query: sa.Select[Any], since: datetime, until: datetime, policies: Collection[str]) -> sa.Select[Any]:
    """What a day's sample may be drawn from: items that are gone can be shown to nobody."""
    query = query.select_from(decisions.join(items, items.c.item_id == decisions.c.item_id))
    there = sa.and_(items.c.gone_at.is_(None), decisions.c.outcome.is_not(None))
    return query.where(_within(since, until), there, decisions.c.policy_id.in_(sorted(policies)))
