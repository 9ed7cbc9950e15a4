"""The roster: who answers blind work, and within which bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import sqlalchemy as sa

from labeling.errors import Conflict, NotFound
from labeling.records import Person
from labeling.store.audit import write_audit
from labeling.store.database import Database, for_update, now
from labeling.store.rows import dump, insert_missing, load
from labeling.store.tables import people


class SqlPeople:
    """``People`` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, person: Person, actor: str) -> Person:
        """Raises Conflict when that address is on the roster."""
        with self._database.write() as connection:
            highest = connection.execute(for_update(connection, sa.select(people.c.desk))).scalars().all()
            made = replace(person, desk=max(highest, default=0) + 1, created_at=now(connection))
            if not insert_missing(connection, people, [dump(made)], people.c.email):
                raise Conflict(f"{person.email} is on the roster already; change that row instead")
            write_audit(connection, actor, "roster.add", made.email, {"desk": made.desk})
            return made

    def get(self, email: str) -> Person:
        with self._database.read() as connection:
            return _get(connection, email)

    def all(self) -> list[Person]:
        """By desk number."""
        with self._database.read() as connection:
            rows = connection.execute(sa.select(people).order_by(people.c.desk)).mappings()
            return [load(Person, row) for row in rows]

    def change(self, email: str, changes: Mapping[str, object], actor: str, action: str = "roster.change") -> Person:
        """Each field given replaces that field, with the audit event, in one transaction. Raises NotFound."""
        with self._database.write() as connection:
            there = _get(connection, email, lock=True)
            changed = replace(there, **changes)  # type: ignore[arg-type]
            if changed == there:
                return there
            row = dump(changed)
            connection.execute(sa.update(people).where(people.c.email == there.email).values(row))
            detail = {name: row[name] for name in changes if name != "reviewed_at"}
            write_audit(connection, actor, action, there.email, detail)
            return changed


def _get(connection: sa.Connection, email: str, *, lock: bool = False) -> Person:
    query = sa.select(people).where(people.c.email == email.strip().casefold())
    row = connection.execute(for_update(connection, query) if lock else query).mappings().one_or_none()
    if row is None:
        raise NotFound(f"nobody on the roster has the address {email!r}; goldfold roster list shows who has")
    return load(Person, row)
