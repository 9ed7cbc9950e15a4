"""Who is asked what: the floor as one transaction sees it, and the hand-out written in the same one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import sqlalchemy as sa

from labeling.consensus import author
from labeling.floor import GOLD_GROUP, Desk, Floor, Handout, OpenQuestion
from labeling.golden.contested import is_contested
from labeling.records import (
    AnnotationEvent,
    EventKind,
    GoldenItem,
    GoldState,
    Partition,
    Person,
    RoundState,
    Task,
    TaskKind,
    TaskState,
    Tier,
)
from labeling.store.annotations import live, newest
from labeling.store.database import Database, for_update, now
from labeling.store.decision_tables import qa_sample
from labeling.store.rows import among, chunks, load, select_in
from labeling.store.tables import annotation_events as events
from labeling.store.tables import golden_items, people, picks, rounds, tasks
from labeling.store.tasks import insert_tasks, move

_LOCK = 5_318_008_121_204_071  # any number, as long as every process takes the same one
_OPEN = [state.value for state in (TaskState.QUEUED, TaskState.SENDING, TaskState.SENT)]
_OUT = [state.value for state in (TaskState.WITHDRAWN, TaskState.QUARANTINED)]
_HANDED = [TaskKind.COPY.value, TaskKind.INJECTION.value]
_UNDER_WAY = [RoundState.SELECTED.value, RoundState.OPEN.value]
UNSEEN = (Partition.SEALED, Partition.DEV)  # answers that nobody may come to know


class SqlDesks:
    """``Desks`` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def assign(self, plan: Callable[[Floor], Handout], since: datetime, *, anchors: bool = False) -> Handout:
        with self._database.write() as connection:
            if connection.dialect.name == "postgresql":  # SQLite has one writer anyway
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
            released = _release(connection)
            floor = _floor(connection, since, anchors=anchors)
            handout = plan(floor)
            _write(connection, handout)
        return replace(handout, released=released)

    def units_since(self, since: datetime) -> dict[str, float]:
        with self._database.read() as connection:
            spent: dict[str, float] = defaultdict(float)
            for (_, person), units in sorted(_seen_since(connection, since).items()):
                spent[person] += units
            return dict(spent)

    def looks_of(self, person: str, since: datetime) -> list[tuple[str, datetime, float]]:
        who = person.strip().casefold()
        wrote = sa.func.coalesce(sa.func.nullif(events.c.updated_by, ""), events.c.annotator)
        query = sa.select(events.c.task_id, events.c.annotator, events.c.updated_by, events.c.studio_updated_at)
        query = query.add_columns(tasks.c.exposure).join(tasks, tasks.c.task_id == events.c.task_id)
        query = query.where(events.c.studio_updated_at >= since, _is_work(), sa.func.lower(sa.func.trim(wrote)) == who)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(events.c.studio_updated_at, events.c.seq)).mappings()
            return [(str(row["task_id"]), row["studio_updated_at"], float(row["exposure"])) for row in rows]


def injectable(connection: sa.Connection) -> list[GoldenItem]:
    """Golden items whose answer may be asked for again: those of the tier anchor; while there are none, those of the
    partition anchor. Never one of an evaluation partition, whatever its tier, nor one that is contested."""
    query = sa.select(golden_items).where(golden_items.c.state == GoldState.ACTIVE.value)
    query = query.where(golden_items.c.partition.not_in([partition.value for partition in UNSEEN]))
    query = query.order_by(golden_items.c.item_id, golden_items.c.policy_id)
    for chosen in (golden_items.c.tier == Tier.ANCHOR.value, golden_items.c.partition == Partition.ANCHOR.value):
        anchors = [load(GoldenItem, row) for row in connection.execute(query.where(chosen)).mappings()]
        if found := [anchor for anchor in anchors if not is_contested(anchor)]:
            return found
    return []


def _release(connection: sa.Connection) -> int:
    """Take back what its person will not answer: they have left, they skipped it, or its question was withdrawn."""
    skipped = sa.exists().where(events.c.task_id == tasks.c.task_id, events.c.kind == EventKind.SKIPPED.value)
    gone = tasks.c.assignee.in_(sa.select(people.c.email).where(~people.c.active))
    idle = [TaskState.QUEUED.value, TaskState.SENT.value]  # what is on its way is looked at when it is there
    query = sa.select(tasks.c.task_id, tasks.c.assignee).where(tasks.c.kind.in_(_HANDED), tasks.c.state.in_(idle))
    rows = connection.execute(for_update(connection, query.where(sa.or_(gone, skipped)).order_by(tasks.c.task_id)))
    assignees = {str(row.task_id): str(row.assignee) for row in rows}
    left = set(connection.execute(sa.select(people.c.email).where(~people.c.active)).scalars())
    seen: dict[str, list[AnnotationEvent]] = {task_id: [] for task_id in assignees}
    for row in select_in(connection, sa.select(events), events.c.task_id, list(assignees)):
        seen[row["task_id"]].append(load(AnnotationEvent, row))
    unanswered = {t: who for t, who in assignees.items() if not live(seen[t], assignees)}  # an answer stays
    skippers = {t for t, who in unanswered.items() if _is_skipped(seen[t], who)}
    leavers = {t for t, who in unanswered.items() if who in left}
    move(connection, sorted(leavers), TaskState.WITHDRAWN, {"error": "its person has left"})
    move(connection, sorted(skippers - leavers), TaskState.WITHDRAWN, {"error": "its person skipped it"})
    orphans = _orphans(connection, idle)
    move(connection, orphans, TaskState.WITHDRAWN, {"error": "its question was withdrawn"})
    return len(leavers | skippers) + len(orphans)


def _orphans(connection: sa.Connection, states: Sequence[str]) -> list[str]:
    root = tasks.alias("root")
    query = sa.select(tasks.c.task_id).join(root, root.c.task_id == tasks.c.parent_task_id)
    query = query.where(tasks.c.kind == TaskKind.COPY.value, tasks.c.state.in_(states))
    query = query.where(root.c.state == TaskState.WITHDRAWN.value).order_by(tasks.c.task_id)
    return list(connection.execute(query).scalars())


def _is_skipped(seen: Sequence[AnnotationEvent], who: str) -> bool:
    """Whether the last thing that somebody did to a task was to skip it."""
    own = [event for event in newest(seen).values() if author(event) == who and event.kind is not EventKind.DELETED]
    return bool(own) and max(own, key=lambda event: event.studio_updated_at).kind is EventKind.SKIPPED


def _floor(connection: sa.Connection, since: datetime, *, anchors: bool) -> Floor:
    found = connection.execute(sa.select(people).where(people.c.active).order_by(people.c.desk)).mappings()
    roster = [load(Person, row) for row in found]
    questions = _questions(connection)
    gold = injectable(connection) if anchors else []
    desks = _Desks(connection, since)
    desks.meet(questions, gold)
    return Floor(tuple(questions), tuple(desks.of(person) for person in roster), tuple(gold))


def _questions(connection: sa.Connection) -> list[OpenQuestion]:
    """The blind tasks of rounds under way that lack copies, locked. Not those that were sent without copies: to a
    shared project, or by another tool whose answers were taken over."""
    copies = sa.select(tasks.c.parent_task_id, sa.func.count().label("have"))
    copies = copies.where(tasks.c.kind == TaskKind.COPY.value, tasks.c.state.not_in(_OUT))
    about = copies.group_by(tasks.c.parent_task_id).subquery()
    have = sa.func.coalesce(about.c.have, 0)
    child = tasks.alias("child")
    copied = sa.exists().where(child.c.parent_task_id == tasks.c.task_id, child.c.kind == TaskKind.COPY.value)
    query = (
        sa.select(tasks, have.label("have"))
        .join(rounds, rounds.c.round_id == tasks.c.round_id)
        .outerjoin(about, about.c.parent_task_id == tasks.c.task_id)
        .where(tasks.c.kind == TaskKind.BLIND.value, tasks.c.project_id.is_(None), rounds.c.state.in_(_UNDER_WAY))
        .where(sa.or_(tasks.c.state == TaskState.QUEUED.value, sa.and_(tasks.c.state == TaskState.SENT.value, copied)))
        .where(tasks.c.overlap > have)
        .order_by(tasks.c.task_id)
    )
    if connection.dialect.name == "postgresql":
        query = query.with_for_update(of=tasks)
    rows = connection.execute(query).mappings().all()
    picked: dict[tuple[str, str, str], tuple[float, str]] = {}
    for row in select_in(connection, sa.select(picks), picks.c.item_id, [row["item_id"] for row in rows]):
        picked[row["round_id"], row["item_id"], row["policy_id"]] = (row["probability"], row["group_id"])
    made = []
    for row in rows:
        probability, group = picked.get((row["round_id"], row["item_id"], row["policy_id"]), (1.0, ""))
        made.append(OpenQuestion(load(Task, row), int(row["have"]), probability, group))
    return made


@dataclass(slots=True)
class _Pile:
    """What is gathered for one desk."""

    spent: float = 0.0
    waiting: float = 0.0
    open_tasks: int = 0
    last_position: int = 0
    rows: dict[str, list[tuple[int, float]]] = field(default_factory=lambda: defaultdict(list))
    met: set[tuple[str, str]] = field(default_factory=set)
    items: set[str] = field(default_factory=set)


class _Desks:
    """Every desk, gathered by person."""

    def __init__(self, connection: sa.Connection, since: datetime) -> None:
        self._connection = connection
        self._piles: dict[str, _Pile] = defaultdict(_Pile)
        today = _seen_since(connection, since)
        for (_, person), units in sorted(today.items()):
            self._piles[person].spent += units
        self._open({task_id for task_id, _ in today})
        last = sa.select(tasks.c.assignee, sa.func.max(tasks.c.position)).where(tasks.c.kind.in_(_HANDED))
        for person, position in connection.execute(last.group_by(tasks.c.assignee)):
            self._piles[person].last_position = position

    def of(self, person: Person) -> Desk:
        pile = self._piles[person.email]
        return Desk(
            person=person,
            spent=pile.spent,
            waiting=pile.waiting,
            open_tasks=pile.open_tasks,
            last_position=pile.last_position,
            rows={policy: tuple(units for _, units in sorted(row)) for policy, row in pile.rows.items()},
            met=frozenset(pile.met),
            items=frozenset(pile.items),
        )

    def _open(self, today: set[str]) -> None:
        """What lies unanswered on each desk, and the order of that and of what was seen today."""
        names = ("task_id", "assignee", "policy_id", "position", "exposure")
        handed = sa.select(*(tasks.c[name] for name in names)).where(tasks.c.kind.in_(_HANDED))
        rows = list(self._connection.execute(handed.where(tasks.c.state.in_(_OPEN))).mappings())
        known = {row["task_id"] for row in rows}
        rows += select_in(self._connection, handed, tasks.c.task_id, sorted(today - known))
        touched = _touched(self._connection, known)
        for row in sorted(rows, key=lambda row: row["task_id"]):
            pile = self._piles[row["assignee"]]
            unanswered = row["task_id"] in known and (row["task_id"], row["assignee"]) not in touched
            if unanswered:
                pile.waiting += row["exposure"]
                pile.open_tasks += 1
            if unanswered or row["task_id"] in today:
                pile.rows[row["policy_id"]].append((row["position"], row["exposure"]))

    def meet(self, questions: Sequence[OpenQuestion], anchors: Sequence[GoldenItem]) -> None:
        """Who has met the items of these, or near-duplicates of theirs. Under another policy version than those asked
        under now it was another question: what it was answered does not count. Nor may those answer who decided about
        one in production, where daily QA judges that decision."""
        names = self._names(questions, anchors)
        asked = {(q.task.policy_id, q.task.policy_version) for q in questions}
        asked |= {(anchor.policy_id, anchor.policy_version) for anchor in anchors}
        columns = sa.select(
            *(tasks.c[name] for name in ("task_id", "item_id", "policy_id", "policy_version", "assignee"))
        )
        about = list(select_in(self._connection, columns, tasks.c.item_id, sorted(names)))
        people_of: dict[str, set[str]] = defaultdict(set)
        for task_id, person in _touched(self._connection, {row["task_id"] for row in about}):
            people_of[task_id].add(person)
        for row in about:
            for person in people_of[row["task_id"]] | ({row["assignee"]} if row["assignee"] else set()):
                self._piles[person].items.add(row["item_id"])
                if (row["policy_id"], row["policy_version"]) in asked:
                    self._piles[person].met |= {(row["policy_id"], name) for name in names[row["item_id"]]}
        decided = sa.select(qa_sample.c.item_id, qa_sample.c.policy_id, qa_sample.c.barred)
        for row in select_in(self._connection, decided, qa_sample.c.item_id, sorted(names)):
            for person in row["barred"]:
                self._piles[person].met |= {(row["policy_id"], name) for name in names[row["item_id"]]}

    def _names(self, questions: Sequence[OpenQuestion], anchors: Sequence[GoldenItem]) -> dict[str, set[str]]:
        """By item: its id and the groups it is known in, of every item that shares one with those asked about."""
        names: dict[str, set[str]] = defaultdict(set)
        wanted = {question.task.item_id for question in questions} | {anchor.item_id for anchor in anchors}
        for item_id in wanted:
            names[item_id].add(item_id)
        wanted |= {question.group for question in questions if question.group}
        columns = sa.select(picks.c.item_id, picks.c.group_id)
        for column in (picks.c.item_id, picks.c.group_id):
            for row in select_in(self._connection, columns, column, sorted(wanted)):
                names[row["item_id"]] |= {row["item_id"], row["group_id"]} - {""}
        groups = sorted({anchor.group_id for anchor in anchors})
        golden = sa.select(golden_items.c.item_id, golden_items.c.group_id)
        for row in select_in(self._connection, golden, golden_items.c.group_id, groups):
            names[row["item_id"]] |= {row["item_id"], GOLD_GROUP + row["group_id"]}
        return names


def _touched(connection: sa.Connection, task_ids: Iterable[str]) -> set[tuple[str, str]]:
    """(task, person) of everybody who ever answered or skipped one of these."""
    columns = sa.select(events.c.task_id, events.c.annotator, events.c.updated_by).distinct()
    rows = select_in(connection, columns.where(_is_work()), events.c.task_id, sorted(task_ids))
    return {(row["task_id"], _author(row)) for row in rows}


def _seen_since(connection: sa.Connection, since: datetime) -> dict[tuple[str, str], float]:
    """Units by (task, person) of what people answered or skipped since then."""
    query = sa.select(events.c.task_id, events.c.annotator, events.c.updated_by, tasks.c.exposure).distinct()
    query = query.join(tasks, tasks.c.task_id == events.c.task_id).where(
        events.c.studio_updated_at >= since, _is_work()
    )
    return {(row["task_id"], _author(row)): float(row["exposure"]) for row in connection.execute(query).mappings()}


def _is_work() -> sa.ColumnElement[bool]:
    return events.c.kind != EventKind.DELETED.value


def _author(row: sa.RowMapping) -> str:
    return str(row["updated_by"] or row["annotator"]).strip().casefold()


def _write(connection: sa.Connection, handout: Handout) -> None:
    insert_tasks(connection, handout.tasks)
    asked = sorted({task.parent_task_id for task in handout.tasks if task.parent_task_id is not None})
    at = now(connection)
    for part in chunks(asked):
        values = {"state": TaskState.SENT.value, "error": "", "updated_at": at}
        queued = tasks.c.state == TaskState.QUEUED.value
        connection.execute(sa.update(tasks).where(among(connection, tasks.c.task_id, part), queued).values(values))
    if units := [
        {"id": task_id, "units": handout.exposure[task_id]} for task_id in asked if task_id in handout.exposure
    ]:
        mine = sa.update(tasks).where(tasks.c.task_id == sa.bindparam("id"))
        connection.execute(mine.values(exposure=sa.bindparam("units")), units)
