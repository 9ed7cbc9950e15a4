"""Weekly packs in SQL."""

from __future__ import annotations

import sqlalchemy as sa

from labeling.errors import Conflict, NotFound
from labeling.store.audit import write_audit
from labeling.store.database import Database
from labeling.store.rows import dump, insert_missing, insert_row, load
from labeling.store.weekly_tables import weekly_packs, weekly_signatures
from labeling.weekly_records import Pack, Signature


class SqlWeeklyPacks:
    """``WeeklyPacks`` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, pack: Pack) -> bool:
        with self._database.write() as connection:
            _refuse_signed(connection, pack.week, pack.revision)
            made = bool(insert_missing(connection, weekly_packs, [dump(pack)], weekly_packs.c.content_hash))
            if made:
                detail = {"revision": pack.revision, "content_hash": pack.content_hash}
                write_audit(connection, pack.drafted_by, "weekly.draft", pack.week, detail)
            return made

    def packs(self, week: str = "") -> list[Pack]:
        query = sa.select(weekly_packs).order_by(weekly_packs.c.seq)
        if week:
            query = query.where(weekly_packs.c.week == week)
        with self._database.read() as connection:
            return [load(Pack, row) for row in connection.execute(query).mappings()]

    def sign(self, signature: Signature) -> None:
        with self._database.write() as connection:
            _refuse_signed(connection, signature.week, signature.revision)
            mine = sa.select(weekly_packs.c.content_hash).where(
                weekly_packs.c.week == signature.week, weekly_packs.c.revision == signature.revision
            )
            drafts = list(connection.execute(mine.order_by(weekly_packs.c.seq)).scalars())
            if signature.content_hash not in drafts:
                raise NotFound(f"there is no draft {signature.content_hash!r} of {signature.week}")
            if drafts[-1] != signature.content_hash:
                raise Conflict(
                    f"a newer draft of {signature.week} is there ({drafts[-1][:12]}): read and sign that one"
                )
            insert_row(connection, weekly_signatures, dump(signature))
            detail = {"revision": signature.revision, "content_hash": signature.content_hash}
            write_audit(connection, signature.signer, "weekly.sign", signature.week, detail)

    def signatures(self, week: str = "") -> list[Signature]:
        query = sa.select(weekly_signatures).order_by(weekly_signatures.c.week, weekly_signatures.c.revision)
        if week:
            query = query.where(weekly_signatures.c.week == week)
        with self._database.read() as connection:
            return [load(Signature, row) for row in connection.execute(query).mappings()]


def _refuse_signed(connection: sa.Connection, week: str, revision: int) -> None:
    columns = weekly_signatures.c
    query = sa.select(columns.signer).where(columns.week == week, columns.revision == revision)
    signer = connection.execute(query).scalar()
    if signer is not None:
        raise Conflict(f"{week} revision {revision} is signed by {signer}: draft it again, which begins a new revision")
