"""Objections in SQL."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from labeling.errors import Conflict, NotFound
from labeling.objection_records import Objection, ObjectionState
from labeling.store.audit import write_audit
from labeling.store.database import Database
from labeling.store.objection_tables import objections
from labeling.store.rows import dump, insert_missing, load

ERASED = "(erased with the item)"


class SqlObjections:
    """``Objections`` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, objection: Objection, actor: str) -> None:
        with self._database.write() as connection:
            if not insert_missing(connection, objections, [dump(objection)], objections.c.objection_id):
                raise Conflict("you have objected to this decision already: a lead will answer")
            detail = {"adjudication": objection.adjudication_id, "policy": objection.policy_id}
            write_audit(connection, actor, "objection.raise", objection.objection_id, detail)

    def get(self, objection_id: str) -> Objection:
        with self._database.read() as connection:
            return _get(connection, objection_id)

    def all(self, *, person: str = "", state: ObjectionState | None = None) -> list[Objection]:
        query = sa.select(objections).order_by(objections.c.at.desc(), objections.c.objection_id)
        if person:
            query = query.where(objections.c.person == person)
        if state is not None:
            query = query.where(objections.c.state == state.value)
        with self._database.read() as connection:
            return [load(Objection, row) for row in connection.execute(query).mappings()]

    def close(self, objection_id: str, state: ObjectionState, answer: str, actor: str, at: datetime) -> Objection:
        values = {"state": state.value, "answer": answer, "answered_by": actor, "answered_at": at}
        with self._database.write() as connection:
            mine = objections.c.objection_id == objection_id
            is_open = objections.c.state == ObjectionState.OPEN.value
            if not connection.execute(sa.update(objections).where(mine, is_open).values(values)).rowcount:
                found = _get(connection, objection_id)
                raise Conflict(f"objection {objection_id!r} has an answer already: {found.state}")
            write_audit(connection, actor, "objection.answer", objection_id, {"state": state.value})
            return _get(connection, objection_id)


def erase_objections(connection: sa.Connection, item_id: str) -> None:
    """Let go of what people wrote about an item; that they objected, and what came of it, stays."""
    for column in (objections.c.reason, objections.c.answer):
        mine = sa.and_(objections.c.item_id == item_id, column != "")
        connection.execute(sa.update(objections).where(mine).values({column.name: ERASED}))


def _get(connection: sa.Connection, objection_id: str) -> Objection:
    query = sa.select(objections).where(objections.c.objection_id == objection_id)
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise NotFound(f"there is no objection {objection_id!r}")
    return load(Objection, row)
