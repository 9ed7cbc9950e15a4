"""Access keys, by their hash."""

from __future__ import annotations

import sqlalchemy as sa

from labeling.errors import Conflict, NotFound
from labeling.records import ApiKey
from labeling.store.database import Database, now
from labeling.store.rows import dump, insert_missing, load
from labeling.store.tables import api_keys


class SqlKeys:
    """``Keys`` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.revocations = 0

    def add(self, key: ApiKey) -> None:
        """Raises Conflict when the id or the hash is taken."""
        with self._database.write() as connection:
            if not insert_missing(connection, api_keys, [dump(key)], api_keys.c.key_id):
                raise Conflict(f"an access key {key.key_id!r}, or one with the same secret, is there already")

    def by_hash(self, key_hash: str) -> ApiKey | None:
        query = sa.select(api_keys).where(api_keys.c.key_hash == key_hash, api_keys.c.revoked_at.is_(None))
        with self._database.read() as connection:
            row = connection.execute(query).mappings().one_or_none()
        return None if row is None else load(ApiKey, row)

    def all(self) -> list[ApiKey]:
        """Oldest first, revoked ones too."""
        query = sa.select(api_keys).order_by(api_keys.c.created_at, api_keys.c.key_id)
        with self._database.read() as connection:
            return [load(ApiKey, row) for row in connection.execute(query).mappings()]

    def revoke(self, key_id: str) -> None:
        """A no-op when it is revoked already. Raises NotFound."""
        own = api_keys.c.key_id == key_id
        try:
            with self._database.write() as connection:
                if connection.execute(sa.select(api_keys.c.key_id).where(own)).first() is None:
                    raise NotFound(f"no access key has the id {key_id!r}")
                live = sa.update(api_keys).where(own, api_keys.c.revoked_at.is_(None))
                connection.execute(live.values(revoked_at=now(connection)))
        finally:
            self.revocations += 1  # also when it is not known whether the commit arrived
