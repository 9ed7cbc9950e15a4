"""Erasures, legal holds, and who got which export.

What the ledger holds of an item goes in the one transaction that makes its tombstone. What lies elsewhere follows in
steps that may be repeated (``labeling.erasure``); ``done`` says which are behind it. The tombstone has ids, times, the
actor and the reason. It has no hash of the content: a short text can be guessed, and its SHA-256 then confirms the
guess. The hashes that stay (leaves of published versions, links of the event chain) cover 128 random bits that are
erased with the row.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

import sqlalchemy as sa

from labeling.errors import Conflict, InvalidInput, NotFound
from labeling.golden import manifest
from labeling.golden_records import Erasure, HandedOut, Hold, Notice
from labeling.records import GoldAction, GoldenItem, GoldState, Outcome, RegisteredItem
from labeling.store.audit import write_audit
from labeling.store.database import Database, now
from labeling.store.decisions import erase_decisions
from labeling.store.gold_chain import append_erased, lock_chain
from labeling.store.objections import erase_objections
from labeling.store.rows import Row, dump, insert_missing, insert_row, load
from labeling.store.signals import erase_signals
from labeling.store.stops import let_go
from labeling.store.tables import (
    erased_leaves,
    erasure_notices,
    erasures,
    gold_events,
    golden_derivations,
    golden_exports,
    golden_items,
    golden_members,
    items,
    legal_holds,
    studio_removals,
    tasks,
)

# What is left of a golden row. Its outcome must be one; this is the one that no figure counts.
_EMPTY: Row = {
    "text": "",
    "content_hash": "",
    "salt": "",
    "caption_hash": "",
    "language": "und",
    "outcome": Outcome.CONTEXT_MISSING.value,
    "rule": None,
    "severity": None,
    "votes": {},
    "verdict": None,
    "cause": None,
    "group_id": "",
    "state": GoldState.ERASED.value,
}
_RELEASES = (GoldAction.PROPOSED, GoldAction.PUBLISHED, GoldAction.APPROVED, GoldAction.REJECTED, GoldAction.ERRATUM)


class SqlErasures:
    """``Erasures`` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def hold(self, item: RegisteredItem, actor: str, reason: str) -> Hold:
        """Raises InvalidInput without a reason, Conflict when the item is erased already."""
        _check_reason(reason)
        with self._database.write() as connection:
            lock_chain(connection)  # so that no erasure begins meanwhile
            if connection.execute(sa.select(erasures).where(erasures.c.item_id == item.item_id)).first():
                raise Conflict(f"{item.external_id!r} is erased already; there is nothing left to hold")
            at = now(connection)
            made = Hold(uuid4().hex, item.item_id, item.external_id, reason.strip(), actor, at)
            insert_row(connection, legal_holds, dump(made))
            write_audit(connection, actor, "item.hold", item.item_id, {"reason": made.reason})
            return made

    def release(self, item_id: str, actor: str, reason: str) -> list[Hold]:
        _check_reason(reason)
        with self._database.write() as connection:
            mine = sa.and_(legal_holds.c.item_id == item_id, legal_holds.c.released_at.is_(None))
            rows = connection.execute(sa.select(legal_holds).where(mine)).mappings().all()
            if not rows:
                raise NotFound(f"item {item_id!r} is under no legal hold")
            values = {"released_at": now(connection), "released_by": actor, "release_reason": reason.strip()}
            connection.execute(sa.update(legal_holds).where(mine).values(values))
            write_audit(connection, actor, "item.release_hold", item_id, {"reason": reason.strip()})
            return [load(Hold, {**row, **values}) for row in rows]

    def holds(self, item_id: str | None = None) -> list[Hold]:
        query = sa.select(legal_holds).where(legal_holds.c.released_at.is_(None))
        if item_id is not None:
            query = query.where(legal_holds.c.item_id == item_id)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(legal_holds.c.at, legal_holds.c.hold_id)).mappings()
            return [load(Hold, row) for row in rows]

    def begin(self, item_id: str, actor: str, reason: str) -> Erasure:
        _check_reason(reason)
        with self._database.write() as connection:
            lock_chain(connection)
            there = (
                connection.execute(sa.select(erasures).where(erasures.c.item_id == item_id)).mappings().one_or_none()
            )
            if there is not None:
                return load(Erasure, there)
            item = connection.execute(sa.select(items).where(items.c.item_id == item_id)).mappings().one_or_none()
            if item is None:
                raise NotFound(f"no item has the id {item_id!r}")
            _refuse_held(connection, item)
            at = now(connection)
            made = Erasure(uuid4().hex, item_id, item["external_id"], actor, reason.strip(), at)
            insert_row(connection, erasures, dump(made))
            _note_recipients(connection, made)
            let_go(connection, item_id, at)
            connection.execute(sa.update(items).where(items.c.item_id == item_id).values(content_hash=""))
            connection.execute(sa.update(tasks).where(tasks.c.item_id == item_id).values(content_hash=""))
            _erase_gold(connection, made)
            erase_decisions(connection, item_id, at)
            erase_signals(connection, item_id, at)
            erase_objections(connection, item_id)
            write_audit(connection, actor, "item.erase", item_id, {"reason": made.reason})
            return made

    def mark(self, erasure_id: str, step: str, *, last: bool) -> None:
        with self._database.write() as connection:
            query = sa.select(erasures.c.done).where(erasures.c.erasure_id == erasure_id)
            done = [*connection.execute(query).scalar_one(), step]
            values = {"done": list(dict.fromkeys(done)), **({"finished_at": now(connection)} if last else {})}
            connection.execute(sa.update(erasures).where(erasures.c.erasure_id == erasure_id).values(values))

    def all(self) -> list[Erasure]:
        query = sa.select(erasures).order_by(erasures.c.asked_at, erasures.c.erasure_id)
        with self._database.read() as connection:
            return [load(Erasure, row) for row in connection.execute(query).mappings()]

    def places(self, item_id: str) -> list[tuple[str, str]]:
        member = golden_members.c
        query = sa.select(member.version, member.partition).where(member.item_id == item_id).distinct()
        with self._database.read() as connection:
            return [(row.version, row.partition) for row in connection.execute(query.order_by(member.version))]

    def derivation(self, version: str) -> tuple[int, int]:
        query = sa.select(golden_derivations.c.number, golden_derivations.c.leaves)
        query = query.where(golden_derivations.c.version == version).order_by(golden_derivations.c.number.desc())
        with self._database.read() as connection:
            row = connection.execute(query.limit(1)).one_or_none()
            return (0, 0) if row is None else (row.number, row.leaves)

    def derive(self, version: str, number: int, leaves: int, manifest_path: str) -> None:
        with self._database.write() as connection:
            row = {"version": version, "number": number, "leaves": leaves, "manifest_path": manifest_path}
            insert_missing(
                connection, golden_derivations, [row | {"at": now(connection)}], golden_derivations.c.version
            )

    def hand_out(self, handed: HandedOut) -> None:
        with self._database.write() as connection:
            insert_row(connection, golden_exports, dump(handed))

    def take_back(self, export_id: str) -> None:
        with self._database.write() as connection:
            connection.execute(sa.delete(erasure_notices).where(erasure_notices.c.export_id == export_id))
            connection.execute(sa.delete(golden_exports).where(golden_exports.c.export_id == export_id))

    def exports(self) -> list[HandedOut]:
        query = sa.select(golden_exports).order_by(golden_exports.c.at, golden_exports.c.export_id)
        with self._database.read() as connection:
            return [load(HandedOut, row) for row in connection.execute(query).mappings()]

    def notices(self) -> list[Notice]:
        order = (erasures.c.asked_at, erasure_notices.c.recipient, erasure_notices.c.export_id)
        query = sa.select(erasure_notices).join(erasures).order_by(*order)
        with self._database.read() as connection:
            return [load(Notice, row) for row in connection.execute(query).mappings()]

    def acknowledge(self, external_id: str, recipient: str, actor: str, note: str) -> list[Notice]:
        mine = sa.and_(
            erasure_notices.c.external_id == external_id,
            sa.func.lower(erasure_notices.c.recipient) == recipient.strip().lower(),
        )
        with self._database.write() as connection:
            rows = connection.execute(sa.select(erasure_notices).where(mine)).mappings().all()
            if not rows:
                raise NotFound(f"nobody had to ask {recipient!r} to let {external_id!r} go; see goldfold erasures")
            values = {"acknowledged_at": now(connection), "acknowledged_by": actor, "note": note.strip()}
            fresh = sa.and_(mine, erasure_notices.c.acknowledged_at.is_(None))
            connection.execute(sa.update(erasure_notices).where(fresh).values(values))
            write_audit(connection, actor, "item.erasure_acknowledged", external_id, {"recipient": recipient.strip()})
            return [load(Notice, {**row, **({} if row["acknowledged_at"] else values)}) for row in rows]

    def waiting(self, item_id: str) -> int:
        query = sa.select(sa.func.count()).select_from(studio_removals)
        query = query.join(tasks, tasks.c.task_id == studio_removals.c.task_id).where(tasks.c.item_id == item_id)
        with self._database.read() as connection:
            return connection.execute(query).scalar_one()

    def scrub(self) -> None:
        self._database.scrub()

    def remains(self) -> tuple[str, ...]:
        return self._database.remains()


def _check_reason(reason: str) -> None:
    if not reason.strip():
        raise InvalidInput("reason: is empty; say why, it is kept for good (and quote no content in it)")


def _refuse_held(connection: sa.Connection, item: sa.RowMapping) -> None:
    query = sa.select(legal_holds).where(legal_holds.c.item_id == item["item_id"], legal_holds.c.released_at.is_(None))
    held = connection.execute(query.order_by(legal_holds.c.at)).mappings().first()
    if held is not None:
        raise Conflict(
            f"{item['external_id']!r} is under a legal hold by {held['actor']}: {held['reason']}; nothing was erased"
        )


def _note_recipients(connection: sa.Connection, made: Erasure) -> None:
    """Whoever got an export of a version and partition that held the item."""
    member = golden_members.c
    held = sa.select(member.version, member.partition).where(member.item_id == made.item_id).distinct()
    places = {tuple(row) for row in connection.execute(held)}
    exports = connection.execute(sa.select(golden_exports)).mappings().all()
    notices = [
        Notice(made.erasure_id, row["export_id"], row["recipient"], row["version"], made.external_id)
        for row in exports
        if row["recipient"] and any((row["version"], partition) in places for partition in row["partitions"])
    ]
    insert_missing(connection, erasure_notices, [dump(one) for one in notices], erasure_notices.c.export_id)


def _erase_gold(connection: sa.Connection, made: Erasure) -> None:
    """Leaves and links stay; the rows that they were made of go."""
    member = sa.select(golden_members).where(golden_members.c.item_id == made.item_id)
    leaves = [_leaf(row) for row in connection.execute(member).mappings().all()]
    insert_missing(connection, erased_leaves, leaves, erased_leaves.c.version)
    query = sa.select(golden_items.c.policy_id).where(golden_items.c.item_id == made.item_id)
    policies: Sequence[str] = connection.execute(query.order_by(golden_items.c.policy_id)).scalars().all()
    for table in (golden_items, golden_members):
        connection.execute(sa.update(table).where(table.c.item_id == made.item_id).values(_EMPTY))
    mine = sa.and_(gold_events.c.item_id == made.item_id, gold_events.c.action.not_in(_RELEASES))
    connection.execute(sa.update(gold_events).where(mine).values(row=sa.null()))
    for policy_id in policies or [""]:
        append_erased(connection, (made.item_id, policy_id), made.actor, made.reason, made.asked_at)


def _leaf(row: sa.RowMapping) -> Row:
    text = manifest.canonical(manifest.row(load(GoldenItem, row)))
    key = {name: row[name] for name in ("version", "item_id", "policy_id")}
    return key | {"leaf": manifest.leaf(text).hex()}
