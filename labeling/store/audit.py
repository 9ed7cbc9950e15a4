"""Who did what to what, and when; appended only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from labeling.store.database import Database, now
from labeling.store.rows import insert_row
from labeling.store.tables import audit


class SqlAudit:
    """``Audit`` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, actor: str, action: str, target: str, detail: Mapping[str, object] | None = None) -> None:
        with self._database.write() as connection:
            write_audit(connection, actor, action, target, detail)

    def latest(
        self,
        limit: int = 100,
        *,
        before: int | None = None,
        actor: str = "",
        action: str = "",
        target: str = "",
        actions: Sequence[str] = (),
    ) -> list[dict[str, object]]:
        """Keys ``seq, at, actor, action, target, detail``, ``at`` an aware datetime."""
        query = sa.select(audit).order_by(audit.c.seq.desc()).limit(limit)
        if before is not None:
            query = query.where(audit.c.seq < before)
        for column, wanted in ((audit.c.actor, actor), (audit.c.target, target)):
            query = query.where(column == wanted) if wanted else query
        for wanted_ in filter(None, ((action,) if action else (), actions)):
            named = [
                sa.or_(audit.c.action == one, audit.c.action.startswith(f"{one}.", autoescape=True)) for one in wanted_
            ]
            query = query.where(sa.or_(*named))
        with self._database.read() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]


def write_audit(
    connection: sa.Connection, actor: str, action: str, target: str, detail: Mapping[str, object] | None = None
) -> None:
    """Inside a write of somebody else."""
    row = {"actor": actor, "action": action, "target": target, "detail": dict(detail or {}), "at": now(connection)}
    insert_row(connection, audit, row)
