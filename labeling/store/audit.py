"""Who did what to what, and when; appended only."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from labeling.store.database import Database, now
from labeling.store.tables import audit


class SqlAudit:
    """``Audit`` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, actor: str, action: str, target: str, detail: Mapping[str, object] | None = None) -> None:
        with self._database.write() as connection:
            write_audit(connection, actor, action, target, detail)

    def latest(self, limit: int = 100) -> list[dict[str, object]]:
        """Newest first; keys ``seq, at, actor, action, target, detail``, ``at`` an aware datetime."""
        query = sa.select(audit).order_by(audit.c.seq.desc()).limit(limit)
        with self._database.read() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def newest(self, action: str, target: str) -> dict[str, object] | None:
        """The newest line of that action on that target, with the keys of ``latest``; None where there is none."""
        mine = sa.select(audit).where(audit.c.action == action, audit.c.target == target)
        with self._database.read() as connection:
            row = connection.execute(mine.order_by(audit.c.seq.desc()).limit(1)).mappings().first()
            return None if row is None else dict(row)


def write_audit(
    connection: sa.Connection, actor: str, action: str, target: str, detail: Mapping[str, object] | None = None
) -> None:
    """Inside a write of somebody else."""
    row = {"actor": actor, "action": action, "target": target, "detail": dict(detail or {}), "at": now(connection)}
    connection.execute(sa.insert(audit).values(row))
