"""Verdicts of the gate, and what the sealed partition was asked; both only grow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from labeling.errors import BudgetSpent, NotFound
from labeling.model_records import GateRow, SealedQuery
from labeling.records import Partition
from labeling.store.database import Database
from labeling.store.rows import dump, insert_missing, insert_row, load
from labeling.store.tables import gates, golden_members, sealed_queries

HALF = 0.5  # a version with less of its sealed items known from before is a new exam
_LOCK = 7_046_029_254_386_354  # any number, as long as every process takes the same one


class SqlGates:
    """``Gates`` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, make: Callable[[str], GateRow]) -> GateRow:
        newest = sa.select(gates.c.row_hash).order_by(gates.c.seq.desc()).limit(1)
        with self._database.write() as connection:
            _one_at_a_time(connection)
            row = make(connection.execute(newest).scalar_one_or_none() or "")
            insert_row(connection, gates, dump(row))
            return row

    def get(self, gate_id: str) -> GateRow:
        with self._database.read() as connection:
            row = connection.execute(sa.select(gates).where(gates.c.gate_id == gate_id)).mappings().one_or_none()
        if row is None:
            raise NotFound(f"no verdict of the gate has the id {gate_id!r}")
        return load(GateRow, row)

    def all(self) -> list[GateRow]:
        with self._database.read() as connection:
            return [load(GateRow, row) for row in connection.execute(sa.select(gates).order_by(gates.c.seq)).mappings()]


class SqlSealedQueries:
    """``SealedQueries`` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def answer(self, question_hash: str) -> dict[str, object] | None:
        asked = sealed_queries.c
        query = sa.select(asked.answer).where(asked.question_hash == question_hash, ~asked.is_repeat)
        with self._database.read() as connection:
            found: dict[str, object] | None = connection.execute(query).scalar_one_or_none()
        return found

    def add(self, query: SealedQuery, budget: int) -> bool:
        with self._database.write() as connection:
            _one_at_a_time(connection)
            if not query.is_repeat and _answered(connection, query.question_hash):
                return False
            if not query.is_repeat:
                _check(connection, query.family, query.golden_version, budget)
            return bool(insert_missing(connection, sealed_queries, [dump(query)], sealed_queries.c.question_hash))

    def check(self, family: str, golden_version: str, budget: int) -> None:
        with self._database.read() as connection:
            _check(connection, family, golden_version, budget)

    def spent(self, family: str, golden_version: str) -> int:
        with self._database.read() as connection:
            return _spent(connection, family, golden_version)

    def all(self, family: str | None = None) -> list[SealedQuery]:
        query = sa.select(sealed_queries).order_by(sealed_queries.c.seq)
        if family is not None:
            query = query.where(sealed_queries.c.family == family)
        with self._database.read() as connection:
            return [load(SealedQuery, row) for row in connection.execute(query).mappings()]


def _one_at_a_time(connection: sa.Connection) -> None:
    """Until the end of the write; SQLite holds the whole file already."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))


def _check(connection: sa.Connection, family: str, golden_version: str, budget: int) -> None:
    spent = _spent(connection, family, golden_version)
    if spent >= budget:
        raise BudgetSpent(
            f"the model family {family!r} has asked the sealed partition of golden version {golden_version} {spent} "
            f"times of {budget}: judge it on dev, publish a version whose sealed items are mostly new, or raise the "
            "setting sealed_budget"
        )


def _answered(connection: sa.Connection, question_hash: str) -> bool:
    asked = sealed_queries.c
    query = sa.select(asked.seq).where(asked.question_hash == question_hash, ~asked.is_repeat)
    return connection.execute(query).first() is not None


def _spent(connection: sa.Connection, family: str, golden_version: str) -> int:
    asked = sealed_queries.c
    counts = sa.select(asked.golden_version, sa.func.count()).where(asked.family == family, ~asked.is_repeat)
    found = connection.execute(counts.group_by(asked.golden_version)).all()
    now = _sealed(connection, golden_version)
    return sum(n for version, n in found if _shared(connection, version, golden_version) >= HALF * now)


def _sealed_of(version: str) -> sa.Select[Any]:
    members = golden_members.c
    sealed = members.partition == Partition.SEALED.value
    return sa.select(members.item_id, members.policy_id).where(members.version == version, sealed)


def _sealed(connection: sa.Connection, version: str) -> int:
    return int(connection.execute(sa.select(sa.func.count()).select_from(_sealed_of(version).subquery())).scalar_one())


def _shared(connection: sa.Connection, one: str, other: str) -> int:
    """Sealed rows that two versions have in common."""
    a, b = _sealed_of(one).subquery(), _sealed_of(other).subquery()
    same = sa.and_(a.c.item_id == b.c.item_id, a.c.policy_id == b.c.policy_id)
    query = sa.select(sa.func.count()).select_from(a.join(b, same))
    return int(connection.execute(query).scalar_one())
