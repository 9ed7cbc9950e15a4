"""The golden set: adjudications folded in, their history, and immutable versions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from heapq import merge
from itertools import islice
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from labeling.errors import Conflict, InvalidInput, NotFound
from labeling.golden.chain import Head
from labeling.golden.stale import OUT
from labeling.golden.transitions import moved, relabelled
from labeling.golden_records import Erratum, GoldChain, GoldEvent, GoldMove
from labeling.records import (
    Adjudication,
    GoldAction,
    GoldenItem,
    GoldenVersion,
    GoldState,
    Partition,
    TaskKind,
    TaskState,
    VersionState,
)
from labeling.store.audit import write_audit
from labeling.store.database import Database, for_update, now
from labeling.store.gold_chain import append_event, append_release, head, lock_chain, read_events
from labeling.store.gold_rows import added, column_pages, columns_of, differing, item_of, pages
from labeling.store.gold_walk import walk
from labeling.store.rows import IN_CHUNK, dump, insert_missing, insert_row, load, name_some, replace_row
from labeling.store.tables import (
    adjudications,
    erased_leaves,
    gold_events,
    golden_decisions,
    golden_derivations,
    golden_errata,
    golden_items,
    golden_members,
    golden_versions,
    items,
    tasks,
)
from labeling.store.tasks import move

Pair = tuple[str, str]  # item id, policy id
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

    def events(self, item_id: str | None = None, *, after: int = 0, until: int | None = None) -> list[GoldEvent]:
        where = [gold_events.c.number > after] if after else []
        where += [] if item_id is None else [gold_events.c.item_id == item_id]
        where += [] if until is None else [gold_events.c.number <= until]
        with self._database.read() as connection:
            return list(read_events(connection, *where))

    def chain(self) -> tuple[list[GoldEvent], Head | None, list[GoldenItem]]:
        query = sa.select(golden_items).order_by(golden_items.c.item_id, golden_items.c.policy_id)
        with self._database.read() as connection:  # one snapshot
            rows = [load(GoldenItem, row) for row in connection.execute(query).mappings()]
            return list(read_events(connection)), head(connection), rows

    @contextmanager
    def walk(self) -> Iterator[GoldChain]:
        with self._database.read() as connection:  # one snapshot
            yield walk(connection)

    def rows_of(self, name: str) -> list[GoldenItem]:
        query = sa.select(golden_items).order_by(golden_items.c.policy_id)
        with self._database.read() as connection:
            for column in (golden_items.c.external_id, golden_items.c.item_id):
                rows = connection.execute(query.where(column == name)).mappings().all()
                if rows:
                    return [load(GoldenItem, row) for row in rows]
        return []

    def adjudications(self, task_id: str | None = None, *, item_id: str | None = None) -> list[Adjudication]:
        """Oldest first."""
        query = sa.select(adjudications).order_by(adjudications.c.created_at, adjudications.c.adjudication_id)
        if task_id is not None:
            query = query.where(adjudications.c.task_id == task_id)
        if item_id is not None:  # by its tasks: both have an index
            of_item = sa.select(tasks.c.task_id).where(tasks.c.item_id == item_id)
            query = query.where(adjudications.c.task_id.in_(of_item))
        with self._database.read() as connection:
            return [load(Adjudication, row) for row in connection.execute(query).mappings()]

    def items(self, *, partition: str | None = None, policy_id: str | None = None) -> list[GoldenItem]:
        query = sa.select(*columns_of(golden_items)).order_by(golden_items.c.item_id, golden_items.c.policy_id)
        if partition is not None:
            query = query.where(golden_items.c.partition == str(partition))
        if policy_id is not None:
            query = query.where(golden_items.c.policy_id == policy_id)
        with self._database.read() as connection:
            return list(map(item_of, connection.execute(query)))

    def placed(self, places: Sequence[str], after: str, limit: int, **having: str | None) -> tuple[list[str], int, int]:
        item, place = golden_items.c.item_id, golden_items.c.partition
        meant = [golden_items.c[name] == value for name, value in having.items() if value is not None]
        named, count = sa.select(item).where(*meant), sa.select(sa.func.count(sa.distinct(item))).where(*meant)
        here = place.in_([str(each) for each in places])
        page = named.where(here, item > after).distinct().order_by(item).limit(limit)
        with self._database.read() as connection:
            inside, elsewhere = (connection.execute(count.where(each)).scalar_one() for each in (here, ~here))
            return list(connection.execute(page).scalars()), inside, elsewhere

    def add_version(self, version: GoldenVersion, members: Iterable[GoldenItem]) -> None:
        """Raises NotFound when the parent does not exist, Conflict when a member is not active any more. Only the
        ledger says where the event chain stood (``events``) and what was decided."""
        with self._database.write() as connection:
            number, sha256 = lock_chain(connection)
            if version.parent is not None:
                _version(connection, version.parent)
            row = {name: value for name, value in dump(version).items() if name in golden_versions.c}
            row |= {"events": number, "events_sha256": sha256}
            if not insert_missing(connection, golden_versions, [row], golden_versions.c.version):
                raise Conflict(f"golden version {version.version!r} is published already; versions never change")
            count = _freeze(connection, version.version, members)
            action = GoldAction.PROPOSED if version.needs_approval else GoldAction.PUBLISHED
            told = {"version": version.version, "merkle_root": version.merkle_root, "parent": version.parent}
            append_release(connection, action, told, version.author, f"{count} rows", now(connection))

    def versions(self, *, everything: bool = False) -> list[GoldenVersion]:
        query = _versions().order_by(golden_versions.c.created_at, golden_versions.c.version)
        with self._database.read() as connection:
            found = [load(GoldenVersion, row) for row in connection.execute(query).mappings()]
        return [one for one in found if everything or one.state is VersionState.RELEASED]

    def version(self, version: str) -> GoldenVersion:
        with self._database.read() as connection:
            return _version(connection, version)

    def decide(self, version: str, decision: GoldAction, actor: str, reason: str) -> GoldenVersion:
        with self._database.write() as connection:
            lock_chain(connection)
            there = _version(connection, version)
            if there.state is not VersionState.PROPOSED:
                raise Conflict(f"golden version {version!r} is {there.state} already; only what is proposed is decided")
            if decision is GoldAction.APPROVED and _same_person(actor, there.author):
                raise Conflict(f"{actor!r} proposed golden version {version!r}; another lead must approve it")
            at = now(connection)
            row = {"version": version, "decision": decision.value, "decided_by": actor, "reason": reason, "at": at}
            insert_row(connection, golden_decisions, row)
            append_release(connection, decision, {"version": version}, actor, reason, at)
            write_audit(connection, actor, f"golden.{decision}", version, {"reason": reason})
            return _version(connection, version)

    def add_erratum(self, erratum: Erratum) -> Erratum:
        with self._database.write() as connection:
            lock_chain(connection)
            there = _version(connection, erratum.version)
            key = (golden_members.c.version == erratum.version, golden_members.c.item_id == erratum.item_id)
            query = sa.select(golden_members.c.item_id).where(*key, golden_members.c.policy_id == erratum.policy_id)
            if there.state is not VersionState.RELEASED or connection.execute(query).first() is None:
                raise NotFound(
                    f"item {erratum.item_id!r} under {erratum.policy_id!r} is no row of a released version "
                    f"{erratum.version!r}"
                )
            if not erratum.reason.strip():
                raise InvalidInput("reason: is empty; say what is wrong, it is kept for good")
            made = replace(erratum, reason=erratum.reason.strip(), at=now(connection))
            insert_row(connection, golden_errata, dump(made))
            about = (made.item_id, made.policy_id)
            told = {"version": made.version}
            append_release(connection, GoldAction.ERRATUM, told, made.actor, made.reason, made.at, about)
            return made

    def errata(self, version: str | None = None, item_id: str | None = None) -> list[Erratum]:
        query = sa.select(golden_errata).order_by(golden_errata.c.seq)
        if version is not None:
            query = query.where(golden_errata.c.version == version)
        if item_id is not None:
            query = query.where(golden_errata.c.item_id == item_id)
        with self._database.read() as connection:
            return [load(Erratum, row) for row in connection.execute(query).mappings()]

    def memberships(self, item_id: str) -> list[tuple[str, GoldenItem]]:
        query = sa.select(golden_members).join(golden_versions).where(golden_members.c.item_id == item_id)
        query = query.order_by(golden_versions.c.created_at, golden_versions.c.version, golden_members.c.policy_id)
        with self._database.read() as connection:
            return [(row["version"], load(GoldenItem, row)) for row in connection.execute(query).mappings()]

    def leaves(self, version: str) -> dict[Pair, str]:
        query = sa.select(erased_leaves).where(erased_leaves.c.version == version)
        with self._database.read() as connection:
            return {(r["item_id"], r["policy_id"]): r["leaf"] for r in connection.execute(query).mappings()}

    def members(self, version: str, *, unreleased: bool = False) -> list[GoldenItem]:
        """Raises NotFound when the version does not exist, Conflict when it is not released and that is wanted."""
        members = golden_members.c
        query = sa.select(*columns_of(golden_members)).where(members.version == version)
        with self._database.read() as connection:
            there = _version(connection, version)
            if not unreleased:
                _check_released(there)
            return list(map(item_of, connection.execute(query.order_by(members.item_id, members.policy_id))))

    def stream(self, version: str, partition: str | None = None, *, unreleased: bool = False) -> Iterator[GoldenItem]:
        """Raises as ``members``. Read page by page: no lock is held in between."""
        there = self.version(version)
        if not unreleased:
            _check_released(there)
        query = sa.select(*columns_of(golden_members)).where(golden_members.c.version == version)
        if partition is not None:
            query = query.where(golden_members.c.partition == str(partition))
        return pages(self._page, golden_members, query)

    def columns(self, version: str, partition: str, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Raises as ``members``; read as ``stream``."""
        _check_released(self.version(version))
        members = golden_members.c
        where = (members.version == version, members.partition == str(partition))
        return column_pages(self._page, golden_members, names, *where)

    def differing(self, before: str, after: str) -> Iterator[tuple[GoldenItem | None, GoldenItem | None]]:
        """Raises NotFound; read as ``stream``."""
        for version in (before, after):
            self.version(version)
        return merge(
            differing(self._page, before, after), added(self._page, before, after), key=lambda ends: _pair_of(*ends)
        )

    def drifted(self, version: str) -> Iterator[GoldenItem]:
        """Raises and reads as ``stream``."""
        _check_released(self.version(version))
        now, then = golden_items.c, golden_members.c
        same = sa.and_(then.version == version, then.item_id == now.item_id, then.policy_id == now.policy_id)
        told = ("policy_version", "state", "partition", "group_id", "content_hash", "text")
        differs: list[sa.ColumnElement[bool]] = [then.item_id.is_(None), now.state.in_([state.value for state in OUT])]
        differs += [now[name] != then[name] for name in told]
        joined = golden_items.outerjoin(golden_members, same)
        query = sa.select(*columns_of(golden_items)).select_from(joined).where(sa.or_(*differs))
        return pages(self._page, golden_items, query)

    def _page(self, query: sa.Select[Any]) -> Sequence[Any]:
        with self._database.read() as connection:
            return connection.execute(query).all()


def _pair_of(before: GoldenItem | None, after: GoldenItem | None) -> Pair:
    item = before or after
    return ("", "") if item is None else (item.item_id, item.policy_id)


def _check_released(there: GoldenVersion) -> None:
    if there.state is not VersionState.RELEASED:
        raise Conflict(
            f"golden version {there.version!r} is {there.state}, so nobody may use it; a lead who did not propose "
            f"it releases it with goldfold golden approve {there.version}"
        )


def _versions() -> sa.Select[Any]:
    """Versions with what was decided of them."""
    decided = (golden_decisions.c.decision, golden_decisions.c.decided_by)
    told = [sa.func.coalesce(column, "").label(column.name) for column in decided]
    own = [column for column in golden_versions.c if column.name != "manifest_path"]
    path, number = _newest(golden_derivations.c.manifest_path), _newest(golden_derivations.c.number)
    current = sa.func.coalesce(path, golden_versions.c.manifest_path).label("manifest_path")
    derived = sa.func.coalesce(number, 0).label("derived")
    return sa.select(*own, current, derived, *told).select_from(golden_versions).outerjoin(golden_decisions)


def _newest(column: sa.ColumnElement[Any]) -> sa.ScalarSelect[Any]:
    """``column`` of the newest manifest that was derived from a version."""
    query = sa.select(column).where(golden_derivations.c.version == golden_versions.c.version)
    query = query.order_by(golden_derivations.c.number.desc()).limit(1)
    return query.correlate(golden_versions).scalar_subquery()


def _version(connection: sa.Connection, version: str) -> GoldenVersion:
    query = _versions().where(golden_versions.c.version == version)
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise NotFound(f"no golden version is called {version!r}")
    return load(GoldenVersion, row)


def _freeze(connection: sa.Connection, version: str, members: Iterable[GoldenItem]) -> int:
    """Copy the members, not all held at once; how many. Whoever publishes read the set before: what was erased,
    stopped or retired since is in no version."""
    query = sa.select(golden_items.c.item_id, golden_items.c.policy_id)
    out = {tuple(row) for row in connection.execute(query.where(golden_items.c.state != GoldState.ACTIVE.value))}
    gone, count, rest = list[str](), 0, iter(members)
    while part := list(islice(rest, IN_CHUNK)):
        gone += [member.external_id for member in part if (member.item_id, member.policy_id) in out]
        connection.execute(sa.insert(golden_members), [dump(member) | {"version": version} for member in part])
        count += len(part)
    if gone:
        raise Conflict(f"golden items that changed while they were published: {name_some(gone)}; publish again")
    return count


def _same_person(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()


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
    if open_ids:
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


def _refuse_gone(connection: sa.Connection, item: GoldenItem) -> None:
    """A stopped image without a caption has nothing in its row that could be seen to be gone."""
    query = sa.select(items.c.gone_at).where(items.c.item_id == item.item_id)
    if connection.execute(query).scalar_one_or_none() is not None:
        raise Conflict(
            f"golden item {item.external_id!r} under {item.policy_id!r} cannot be restored: its content is gone; bring "
            "it in anew and have it labelled again"
        )


def _change(connection: sa.Connection, asked: GoldMove) -> GoldenItem:
    before = _row(connection, asked.item_id, asked.policy_id)
    if before is None:
        raise NotFound(f"item {asked.item_id!r} is not in the golden set under {asked.policy_id!r}")
    if before.adjudication_id != asked.adjudication_id:
        raise Conflict(f"golden item {before.external_id!r} was labelled anew meanwhile; look at it, then ask again")
    if not asked.reason.strip():
        raise InvalidInput("reason: is empty; say why, it is kept for good")
    if asked.action is GoldAction.RESTORED:
        _refuse_gone(connection, before)
    after = moved(before, asked.action)
    _write(connection, after, asked.action, asked.actor, asked.reason.strip())
    detail = {"reason": asked.reason.strip(), "tier": after.tier.value, "state": after.state.value}
    write_audit(connection, asked.actor, f"golden.{asked.action}", f"{asked.item_id}/{asked.policy_id}", detail)
    return after
