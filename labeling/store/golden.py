"""The golden set: adjudications folded in, their history, and immutable versions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import sqlalchemy as sa

from labeling.errors import Conflict, InvalidInput, NotFound
from labeling.golden.chain import Head
from labeling.golden.transitions import moved, relabelled
from labeling.records import (
    Adjudication,
    GoldAction,
    GoldenItem,
    GoldenVersion,
    GoldEvent,
    GoldMove,
    GoldState,
    Partition,
    TaskKind,
    TaskState,
)
from labeling.store.audit import write_audit
from labeling.store.database import Database, for_update, now
from labeling.store.gold_chain import append_event, head, lock_chain, read_events
from labeling.store.rows import chunks, dump, insert_missing, load, replace_row
from labeling.store.tables import adjudications, gold_events, golden_items, golden_members, golden_versions, tasks
from labeling.store.tasks import move

_OPEN = [state.value for state in TaskState if state not in (TaskState.SETTLED, TaskState.WITHDRAWN)]


class SqlGolden:
    """``Golden`` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def fold(self, adjudication: Adjudication, item: GoldenItem) -> bool:
        """Settles the adjudication's task, the task it decides, and the task that was to decide it.

        Raises Conflict when the task is withdrawn or quarantined, or the golden item is erased.
        """
        _check_pair(adjudication, item)
        with self._database.write() as connection:
            lock_chain(connection)
            _settle(connection, adjudication)
            if not insert_missing(connection, adjudications, [dump(adjudication)], adjudications.c.adjudication_id):
                return False
            before = _row(connection, item.item_id, item.policy_id)
            _refuse_erased(before)
            item = relabelled(before, item)
            actor = adjudication.adjudicator or adjudication.how.value
            action = GoldAction.FOLDED if before is None else GoldAction.RELABELLED
            _write(connection, item, action, actor, _decided(adjudication))
            detail = {"task_id": adjudication.task_id, "outcome": item.outcome.value, "partition": item.partition.value}
            write_audit(connection, actor, "golden.fold", f"{item.item_id}/{item.policy_id}", detail)
            return True

    def confirm(self, adjudication: Adjudication) -> bool:
        with self._database.write() as connection:
            _settle(connection, adjudication)
            if not insert_missing(connection, adjudications, [dump(adjudication)], adjudications.c.adjudication_id):
                return False
            target = f"{adjudication.item_id}/{adjudication.policy_id}"
            write_audit(
                connection, adjudication.adjudicator, "golden.confirm", target, {"task_id": adjudication.task_id}
            )
            return True

    def regroup(self, group_ids: Sequence[str], into: str, partition: Partition) -> int:
        place = {"group_id": into, "partition": partition.value}
        changed = sa.or_(golden_items.c.group_id != into, golden_items.c.partition != partition.value)
        query = sa.select(golden_items).where(golden_items.c.group_id.in_([*group_ids, into]), changed)
        query = query.order_by(golden_items.c.item_id, golden_items.c.policy_id)
        with self._database.write() as connection:
            lock_chain(connection)
            rows = connection.execute(for_update(connection, query)).mappings().all()
            for row in rows:
                item = replace(load(GoldenItem, row), group_id=into, partition=partition)
                detail = place | {"from_group": row["group_id"], "from_partition": row["partition"]}
                reason = f"its near-duplicate group became one with others, in {partition}"
                _write(connection, item, GoldAction.REGROUPED, "fold", reason)
                write_audit(connection, "fold", "golden.regroup", f"{item.item_id}/{item.policy_id}", detail)
        return len(rows)

    def change(self, moves: Sequence[GoldMove]) -> list[GoldenItem]:
        with self._database.write() as connection:
            lock_chain(connection)
            return [_change(connection, move_) for move_ in moves]

    def events(self, item_id: str | None = None) -> list[GoldEvent]:
        with self._database.read() as connection:
            mine = () if item_id is None else (gold_events.c.item_id == item_id,)
            return list(read_events(connection, *mine))

    def chain(self) -> tuple[list[GoldEvent], Head | None, list[GoldenItem]]:
        query = sa.select(golden_items).order_by(golden_items.c.item_id, golden_items.c.policy_id)
        with self._database.read() as connection:  # one snapshot
            rows = [load(GoldenItem, row) for row in connection.execute(query).mappings()]
            return list(read_events(connection)), head(connection), rows

    def rows_of(self, name: str) -> list[GoldenItem]:
        query = sa.select(golden_items).order_by(golden_items.c.policy_id)
        with self._database.read() as connection:
            for column in (golden_items.c.external_id, golden_items.c.item_id):
                rows = connection.execute(query.where(column == name)).mappings().all()
                if rows:
                    return [load(GoldenItem, row) for row in rows]
        return []

    def adjudications(self, task_id: str | None = None) -> list[Adjudication]:
        """Oldest first."""
        query = sa.select(adjudications).order_by(adjudications.c.created_at, adjudications.c.adjudication_id)
        if task_id is not None:
            query = query.where(adjudications.c.task_id == task_id)
        with self._database.read() as connection:
            return [load(Adjudication, row) for row in connection.execute(query).mappings()]

    def items(self, *, partition: str | None = None, policy_id: str | None = None) -> list[GoldenItem]:
        query = sa.select(golden_items).order_by(golden_items.c.item_id, golden_items.c.policy_id)
        if partition is not None:
            query = query.where(golden_items.c.partition == str(partition))
        if policy_id is not None:
            query = query.where(golden_items.c.policy_id == policy_id)
        with self._database.read() as connection:
            return [load(GoldenItem, row) for row in connection.execute(query).mappings()]

    def add_version(self, version: GoldenVersion, members: Iterable[GoldenItem]) -> None:
        """Raises NotFound when the parent does not exist."""
        rows = [dump(member) | {"version": version.version} for member in members]
        with self._database.write() as connection:
            if version.parent is not None:
                _version(connection, version.parent)
            if not insert_missing(connection, golden_versions, [dump(version)], golden_versions.c.version):
                raise Conflict(f"golden version {version.version!r} is published already; versions never change")
            for part in chunks(rows):
                connection.execute(sa.insert(golden_members), list(part))

    def versions(self) -> list[GoldenVersion]:
        query = sa.select(golden_versions).order_by(golden_versions.c.created_at, golden_versions.c.version)
        with self._database.read() as connection:
            return [load(GoldenVersion, row) for row in connection.execute(query).mappings()]

    def version(self, version: str) -> GoldenVersion:
        with self._database.read() as connection:
            return _version(connection, version)

    def members(self, version: str) -> list[GoldenItem]:
        """Raises NotFound when the version does not exist."""
        members = golden_members.c
        query = sa.select(golden_members).where(members.version == version)
        with self._database.read() as connection:
            _version(connection, version)
            rows = connection.execute(query.order_by(members.item_id, members.policy_id)).mappings()
            return [load(GoldenItem, row) for row in rows]


def _version(connection: sa.Connection, version: str) -> GoldenVersion:
    query = sa.select(golden_versions).where(golden_versions.c.version == version)
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise NotFound(f"no golden version is called {version!r}")
    return load(GoldenVersion, row)


def _check_pair(adjudication: Adjudication, item: GoldenItem) -> None:
    for name in ("adjudication_id", "item_id", "policy_id", "policy_version", "round_id"):
        given, expected = getattr(item, name), getattr(adjudication, name)
        if given != expected:
            raise InvalidInput(f"golden item: {name} is {given!r}, its adjudication says {expected!r}")


def _settle(connection: sa.Connection, adjudication: Adjudication) -> None:
    move(connection, [adjudication.task_id], TaskState.SETTLED, {})
    parent = sa.select(tasks.c.parent_task_id).where(tasks.c.task_id == adjudication.task_id).scalar_subquery()
    related = sa.or_(tasks.c.parent_task_id == adjudication.task_id, tasks.c.task_id == parent)
    related = sa.and_(related, tasks.c.kind != TaskKind.ASSISTED.value)  # that one is sent now, and decides nothing
    query = sa.select(tasks.c.task_id).where(related, tasks.c.state.in_(_OPEN)).order_by(tasks.c.task_id)
    open_ids = list(connection.execute(for_update(connection, query)).scalars())
    values = {"state": TaskState.SETTLED.value, "error": "", "updated_at": now(connection)}
    connection.execute(sa.update(tasks).where(tasks.c.task_id.in_(open_ids)).values(values))


def _row(connection: sa.Connection, item_id: str, policy_id: str) -> GoldenItem | None:
    query = sa.select(golden_items).where(golden_items.c.item_id == item_id, golden_items.c.policy_id == policy_id)
    row = connection.execute(for_update(connection, query)).mappings().one_or_none()
    return None if row is None else load(GoldenItem, row)


def _refuse_erased(before: GoldenItem | None) -> None:
    if before is not None and before.state is GoldState.ERASED:
        raise Conflict(f"golden item {before.item_id!r} under {before.policy_id!r} is erased; it takes no label")


def _write(connection: sa.Connection, item: GoldenItem, action: GoldAction, actor: str, reason: str) -> None:
    replace_row(connection, golden_items, dump(item))
    append_event(connection, item, action, actor, reason, now(connection))


def _decided(adjudication: Adjudication) -> str:
    if adjudication.adjudicator:
        return f"a lead's decision ({adjudication.how})"
    return f"{adjudication.how} answers of {len(set(adjudication.annotators))} people"


def _change(connection: sa.Connection, asked: GoldMove) -> GoldenItem:
    before = _row(connection, asked.item_id, asked.policy_id)
    if before is None:
        raise NotFound(f"item {asked.item_id!r} is not in the golden set under {asked.policy_id!r}")
    if before.adjudication_id != asked.adjudication_id:
        raise Conflict(f"golden item {before.external_id!r} was labelled anew meanwhile; look at it, then ask again")
    if not asked.reason.strip():
        raise InvalidInput("reason: is empty; say why, it is kept for good")
    after = moved(before, asked.action)
    _write(connection, after, asked.action, asked.actor, asked.reason.strip())
    detail = {"reason": asked.reason.strip(), "tier": after.tier.value, "state": after.state.value}
    write_audit(connection, asked.actor, f"golden.{asked.action}", f"{asked.item_id}/{asked.policy_id}", detail)
    return after
