"""Legal stops: one person's flag takes an item away from everybody, and leaves a stub.

What the ledger holds of the content goes in the very transaction in which it learns of the flag (``stop_flagged``,
called where answers are appended). The lake and Label Studio follow, in steps that may be repeated: what is still to
be done is read from ``legal_stops.purged_at`` and ``studio_removals``, so a process that is killed loses nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from labeling.errors import Conflict, InvalidInput, NotFound
from labeling.records import (
    AnnotationEvent,
    GoldAction,
    GoldenItem,
    GoldState,
    LegalStop,
    Outcome,
    Removal,
    TaskState,
)
from labeling.store.audit import write_audit
from labeling.store.database import Database, now
from labeling.store.gold_chain import append_event
from labeling.store.rows import among, chunks, dump, insert_missing, load, replace_row, select_in
from labeling.store.tables import (
    adjudications,
    annotation_events,
    gold_events,
    golden_items,
    golden_members,
    items,
    legal_stops,
    studio_removals,
    tasks,
)
from labeling.store.tasks import move

_OPEN = (TaskState.QUEUED, TaskState.SENDING, TaskState.SENT, TaskState.ANSWERED, TaskState.QUARANTINED)
_EMPTY = {"text": "", "prompt": "", "precedents": ""}


class SqlStops:
    """``Stops`` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self, *, lifted: bool = True) -> list[LegalStop]:
        """Oldest first."""
        query = sa.select(legal_stops).order_by(legal_stops.c.at, legal_stops.c.stop_id)
        if not lifted:
            query = query.where(legal_stops.c.lifted_at.is_(None))
        with self._database.read() as connection:
            return [load(LegalStop, row) for row in connection.execute(query).mappings()]

    def unpurged(self) -> list[str]:
        query = sa.select(legal_stops.c.item_id).where(legal_stops.c.purged_at.is_(None)).distinct()
        with self._database.read() as connection:
            return sorted(connection.execute(query).scalars())

    def mark_purged(self, item_ids: Sequence[str]) -> None:
        with self._database.write() as connection:
            at = now(connection)
            for part in chunks(sorted(item_ids)):
                fresh = sa.and_(among(connection, legal_stops.c.item_id, part), legal_stops.c.purged_at.is_(None))
                connection.execute(sa.update(legal_stops).where(fresh).values(purged_at=at))

    def lift(self, external_id: str, actor: str, reason: str) -> list[LegalStop]:
        if not reason.strip():
            raise InvalidInput("reason: is empty; say why the flag was wrong")
        with self._database.write() as connection:
            active = sa.select(legal_stops).where(legal_stops.c.lifted_at.is_(None))
            own = connection.execute(active.where(legal_stops.c.external_id == external_id)).mappings().all()
            if not own:
                raise NotFound(f"no item with the external_id {external_id!r} is stopped")
            hashes = sorted({row["content_hash"] for row in own})
            rows = list(select_in(connection, active, legal_stops.c.content_hash, hashes))
            if any(row["purged_at"] is None for row in rows):
                raise Conflict(f"{external_id!r}: its content is still being removed; run goldfold sync, then lift it")
            values = {"lifted_at": now(connection), "lifted_by": actor, "reason": reason.strip()}
            for row in rows:
                connection.execute(sa.update(legal_stops).where(legal_stops.c.stop_id == row["stop_id"]).values(values))
                write_audit(connection, actor, "item.lift_stop", row["item_id"], {"reason": reason.strip()})
            return [load(LegalStop, {**row, **values}) for row in rows]

    def removals(self) -> list[Removal]:
        query = sa.select(studio_removals).order_by(studio_removals.c.project_id, studio_removals.c.task_id)
        with self._database.read() as connection:
            return [load(Removal, row) for row in connection.execute(query).mappings()]

    def removed(self, removals: Sequence[Removal]) -> None:
        with self._database.write() as connection:
            for removal in removals:
                key = (
                    studio_removals.c.task_id == removal.task_id,
                    studio_removals.c.project_id == removal.project_id,
                    studio_removals.c.asked_at == removal.asked_at,
                )
                connection.execute(sa.delete(studio_removals).where(*key))


def is_flag(event: AnnotationEvent) -> bool:
    """Does somebody say that nobody may go on looking at the item?"""
    return event.answer is not None and event.answer.outcome is Outcome.LEGAL_STOP


def stop_flagged(connection: sa.Connection, events: Sequence[AnnotationEvent], at: datetime) -> None:
    """Stop the items of events whose answer is ``legal_stop``, and every item of the same content. An annotation
    stops an item once: after a lead has lifted its flag, seeing it again changes nothing."""
    flagged = [event for event in events if is_flag(event)]
    if not flagged:
        return
    ids = [event.task_id for event in flagged]
    asked = {row["task_id"]: row for row in select_in(connection, sa.select(tasks), tasks.c.task_id, ids)}
    stubs = [stub for event in flagged for stub in _stubs(connection, event, asked[event.task_id], at)]
    new = set(insert_missing(connection, legal_stops, [dump(stub) for stub in stubs], legal_stops.c.stop_id))
    fresh = [stub for stub in stubs if stub.stop_id in new]
    if fresh:
        _erase(connection, {stub.item_id: stub.who for stub in fresh}, at)
    for stub in fresh:
        detail = {"task_id": stub.task_id, "policy": f"{stub.policy_id} {stub.policy_version}"}
        write_audit(connection, stub.who, "item.legal_stop", stub.item_id, detail)


def _stubs(connection: sa.Connection, event: AnnotationEvent, task: sa.RowMapping, at: datetime) -> list[LegalStop]:
    """Of the item that the task is about, and of every item with its content."""
    own = connection.execute(sa.select(items).where(items.c.item_id == task["item_id"])).mappings().one()
    mine = items.c.item_id == own["item_id"]
    same = sa.select(items).order_by(items.c.item_id)
    same = same.where(sa.or_(mine, items.c.content_hash == own["content_hash"]) if own["content_hash"] else mine)
    return [
        LegalStop(
            stop_id=_stop_id(event, row["item_id"]),
            item_id=row["item_id"],
            external_id=row["external_id"],
            content_hash=row["content_hash"],
            policy_id=task["policy_id"],
            policy_version=task["policy_version"],
            round_id=task["round_id"],
            task_id=task["task_id"],
            who=event.updated_by or event.annotator,
            at=at,
        )
        for row in connection.execute(same).mappings()
    ]


def _stop_id(event: AnnotationEvent, item_id: str) -> str:
    parts = ("goldfold", "legal-stop", event.task_id, str(event.studio_annotation_id), item_id)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _erase(connection: sa.Connection, who: Mapping[str, str], at: datetime) -> None:
    """Withdraw what is open and empty what is written, item by item: there are few, and none may be forgotten.
    ``who``: whose flag it was, by item."""
    for item_id in sorted(who):
        let_go(connection, item_id, at)
        _quarantine_gold(connection, item_id, who[item_id], at)


def let_go(connection: sa.Connection, item_id: str, at: datetime) -> None:
    """Everything of an item that the ledger holds outside the golden set: tasks end, texts are emptied, rationales too,
    and Label Studio is to delete what lies there. The rows stay, because others refer to them."""
    connection.execute(sa.update(items).where(items.c.item_id == item_id).values(gone_at=at))
    rows = connection.execute(sa.select(tasks).where(tasks.c.item_id == item_id)).mappings().all()
    _remove_from_studio(connection, rows, at)
    move(connection, [row["task_id"] for row in rows if row["state"] in _OPEN], TaskState.WITHDRAWN, {})
    connection.execute(sa.update(tasks).where(tasks.c.item_id == item_id).values(_EMPTY))
    _empty_answers(connection, item_id, [row["task_id"] for row in rows])
    _forget_precedent(connection, item_id, at)


def _remove_from_studio(connection: sa.Connection, rows: Sequence[sa.RowMapping], at: datetime) -> None:
    sent = [row for row in rows if row["project_id"] is not None]
    removals = [{"task_id": row["task_id"], "project_id": row["project_id"], "asked_at": at} for row in sent]
    insert_missing(connection, studio_removals, removals, studio_removals.c.task_id)


def _empty_answers(connection: sa.Connection, item_id: str, task_ids: Sequence[str]) -> None:
    """A rationale may quote the content."""
    for table, key, column, found in (
        (annotation_events, annotation_events.c.seq, annotation_events.c.task_id, task_ids),
        (adjudications, adjudications.c.adjudication_id, adjudications.c.item_id, [item_id]),
    ):
        for row in list(select_in(connection, sa.select(key, table.c.answer), column, found)):
            if row["answer"] is not None and row["answer"]["rationale"]:
                emptied = {**row["answer"], "rationale": ""}
                connection.execute(sa.update(table).where(key == row[key.name]).values(answer=emptied))


def _quarantine_gold(connection: sa.Connection, item_id: str, who: str, at: datetime) -> None:
    """Its gold stays as a row without content that no version takes in. Published versions keep their rows, whose
    hashes do not cover the content, and lose the content."""
    connection.execute(sa.update(golden_members).where(golden_members.c.item_id == item_id).values(text=""))
    query = sa.select(gold_events).where(gold_events.c.item_id == item_id, gold_events.c.row.is_not(None))
    for event in connection.execute(query).mappings().all():
        emptied = {**event["row"], "text": ""}  # the event's hash does not cover the text
        connection.execute(sa.update(gold_events).where(gold_events.c.seq == event["seq"]).values(row=emptied))
    mine = sa.select(golden_items).where(golden_items.c.item_id == item_id).order_by(golden_items.c.policy_id)
    for row in connection.execute(mine).mappings().all():
        item = replace(load(GoldenItem, row), text="", state=GoldState.QUARANTINED)
        if row["state"] != GoldState.ERASED:
            replace_row(connection, golden_items, dump(item))
            append_event(connection, item, GoldAction.QUARANTINED, who, "a legal stop: its content is gone", at)


def _forget_precedent(connection: sa.Connection, item_id: str, at: datetime) -> None:
    """Other items' tasks that show it as a precedent lose their precedents, and are sent anew where they are open."""
    shown = sa.select(tasks).where(tasks.c.precedents.contains(item_id, autoescape=True))
    rows = connection.execute(shown).mappings().all()
    _remove_from_studio(connection, rows, at)
    again = [row["task_id"] for row in rows if row["state"] in (TaskState.SENDING, TaskState.SENT, TaskState.ANSWERED)]
    move(connection, again, TaskState.QUEUED, {})
    for row in rows:
        connection.execute(sa.update(tasks).where(tasks.c.task_id == row["task_id"]).values(precedents=""))
