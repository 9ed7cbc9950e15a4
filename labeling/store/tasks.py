"""Tasks on their way to Label Studio and back; every move is checked against the state they are in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import sqlalchemy as sa

from labeling.errors import Conflict, NotFound, UnknownItem
from labeling.records import Task, TaskKind, TaskState, Unsent
from labeling.store.database import Database, for_update, now
from labeling.store.items import known_item_ids
from labeling.store.rows import among, chunks, dump, insert_missing, load, name_some, select_in
from labeling.store.tables import tasks

# Whence a task may go where; staying is always allowed. Settled and withdrawn are final.
_ENDS = frozenset({TaskState.SETTLED, TaskState.WITHDRAWN})
MOVES: dict[TaskState, frozenset[TaskState]] = {
    TaskState.QUEUED: _ENDS | {TaskState.SENDING, TaskState.ANSWERED, TaskState.QUARANTINED},
    TaskState.SENDING: _ENDS | {TaskState.QUEUED, TaskState.SENT, TaskState.QUARANTINED},
    TaskState.SENT: _ENDS | {TaskState.QUEUED, TaskState.ANSWERED, TaskState.QUARANTINED},
    TaskState.ANSWERED: _ENDS | {TaskState.QUEUED, TaskState.SENT, TaskState.QUARANTINED},
    TaskState.QUARANTINED: frozenset({TaskState.QUEUED, TaskState.SENT, TaskState.WITHDRAWN}),
    TaskState.SETTLED: frozenset(),
    TaskState.WITHDRAWN: frozenset(),
}
_UNSENT = [TaskState.QUEUED.value, TaskState.SENDING.value]
GROUP = (
    "round_id",
    "policy_id",
    "policy_version",
    "kind",
    "assignee",
    "modality",
)  # what goes to Label Studio together
_FORGOTTEN = {"project_id": None, "studio_task_id": None}


class SqlTasks:
    """``Tasks`` in SQL. Moves raise NotFound for an unknown id and Conflict for a move that is not allowed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, task_id: str) -> Task:
        found = self.find([task_id])
        if not found:
            raise NotFound(f"no task has the id {task_id!r}")
        return found[task_id]

    def find(self, task_ids: Sequence[str]) -> dict[str, Task]:
        with self._database.read() as connection:
            rows = select_in(connection, sa.select(tasks), tasks.c.task_id, task_ids)
            return {row["task_id"]: load(Task, row) for row in rows}

    def where(
        self,
        *,
        round_id: str | None = None,
        states: Sequence[TaskState] = (),
        kind: TaskKind | None = None,
        project_id: int | None = None,
        assignee: str | None = None,
        without: TaskKind | None = None,
        limit: int | None = None,
    ) -> list[Task]:
        query = sa.select(tasks).order_by(tasks.c.task_id).limit(limit)
        if round_id is not None:
            query = query.where(tasks.c.round_id == round_id)
        if states:
            query = query.where(tasks.c.state.in_([state.value for state in states]))
        if kind is not None:
            query = query.where(tasks.c.kind == kind.value)
        if project_id is not None:
            query = query.where(tasks.c.project_id == project_id)
        if without is not None:
            query = query.where(tasks.c.kind != without.value)
        if assignee is not None:
            query = query.where(tasks.c.assignee == assignee)
        with self._database.read() as connection:
            return [load(Task, row) for row in connection.execute(query).mappings()]

    def ids(self, *, states: Sequence[TaskState], project_id: int) -> list[str]:
        query = sa.select(tasks.c.task_id).where(tasks.c.project_id == project_id).order_by(tasks.c.task_id)
        with self._database.read() as connection:
            mine = query.where(tasks.c.state.in_([state.value for state in states]))
            return list(connection.execute(mine).scalars())

    def unsent(self, round_id: str | None = None) -> list[Unsent]:
        group = [tasks.c[name] for name in GROUP]
        query = sa.select(*group, sa.func.count().label("tasks")).where(tasks.c.state.in_(_UNSENT), ~_held())
        if round_id is not None:
            query = query.where(tasks.c.round_id == round_id)
        with self._database.read() as connection:
            return [load(Unsent, row) for row in connection.execute(query.group_by(*group).order_by(*group)).mappings()]

    def next_unsent(self, groups: Sequence[Unsent], limit: int) -> list[Task]:
        same = [
            sa.and_(*(tasks.c[name] == value for name, value in dump(group).items() if name != "tasks"))
            for group in groups
        ]
        query = sa.select(tasks.c.task_id).where(tasks.c.state.in_(_UNSENT), ~_held(), sa.or_(sa.false(), *same))
        with self._database.read() as connection:
            ids = connection.execute(query.order_by(tasks.c.position, tasks.c.task_id).limit(limit)).scalars().all()
        found = self.find(ids)
        return [found[task_id] for task_id in ids]

    def add(self, tasks_: Sequence[Task]) -> None:
        with self._database.write() as connection:
            insert_tasks(connection, tasks_)

    def mark_sending(self, task_ids: Sequence[str], project_id: int) -> None:
        def other_project(task: sa.RowMapping) -> str | None:
            if task["state"] == TaskState.SENDING and task["project_id"] != project_id:
                return f"is being sent to project {task['project_id']}"
            return None

        with self._database.write() as connection:
            move(connection, task_ids, TaskState.SENDING, {"project_id": project_id}, refuse=other_project)

    def mark_sent(self, studio_ids: Mapping[str, int]) -> None:
        """A task answered, settled or withdrawn meanwhile (before the reply to the POST came) stays so, with its id."""

        def other_id(task: sa.RowMapping) -> str | None:
            there = task["studio_task_id"]
            if there is not None and there != studio_ids[task["task_id"]]:
                return f"is task {there} in Label Studio already"
            return None

        with self._database.write() as connection:
            before = _lock(connection, list(studio_ids))
            done = {TaskState.ANSWERED.value, TaskState.SETTLED.value, TaskState.WITHDRAWN.value}
            ids = [task_id for task_id in studio_ids if before[task_id]["state"] not in done]
            move(connection, ids, TaskState.SENT, {}, refuse=other_id)
            _check(before, [task_id for task_id in studio_ids if task_id not in set(ids)], other_id)
            if studio_ids:
                statement = sa.update(tasks).where(tasks.c.task_id == sa.bindparam("id"))
                connection.execute(
                    statement.values(studio_task_id=sa.bindparam("studio")),
                    [{"id": task_id, "studio": studio_id} for task_id, studio_id in sorted(studio_ids.items())],
                )

    def requeue(self, task_ids: Sequence[str]) -> None:
        self.set_state(task_ids, TaskState.QUEUED)

    def set_state(self, task_ids: Sequence[str], state: TaskState, error: str = "") -> None:
        with self._database.write() as connection:
            move(connection, task_ids, state, {"error": error})

    def children(self, task_ids: Sequence[str], kind: TaskKind) -> list[Task]:
        query = sa.select(tasks).where(tasks.c.kind == kind.value)
        with self._database.read() as connection:
            rows = select_in(connection, query, tasks.c.parent_task_id, task_ids)
            return sorted((load(Task, row) for row in rows), key=lambda task: task.task_id)

    def of_item(self, item_id: str) -> list[Task]:
        query = sa.select(tasks).where(tasks.c.item_id == item_id).order_by(tasks.c.created_at, tasks.c.task_id)
        with self._database.read() as connection:
            return [load(Task, row) for row in connection.execute(query).mappings()]

    def asked(self, item_ids: Sequence[str]) -> set[str]:
        ends = (TaskState.SETTLED.value, TaskState.WITHDRAWN.value)
        query = sa.select(tasks.c.item_id).distinct().where(tasks.c.state.not_in(ends))
        with self._database.read() as connection:
            return {row["item_id"] for row in select_in(connection, query, tasks.c.item_id, item_ids)}

    def widen(self, task_ids: Sequence[str]) -> None:
        sent = (tasks.c.kind == TaskKind.BLIND.value, tasks.c.state == TaskState.SENT.value)
        with self._database.write() as connection:
            values = {"overlap": tasks.c.overlap + 1, "extra": tasks.c.extra + 1, "updated_at": now(connection)}
            for part in chunks(sorted(set(task_ids))):
                mine = among(connection, tasks.c.task_id, part)
                connection.execute(sa.update(tasks).where(mine, *sent).values(values))

    def counts(self, round_id: str | None = None) -> dict[str, int]:
        """States without a task are left out."""
        query = sa.select(tasks.c.state, sa.func.count().label("tasks")).group_by(tasks.c.state).order_by(tasks.c.state)
        query = query.where(tasks.c.kind != TaskKind.INJECTION.value)
        if round_id is not None:
            query = query.where(tasks.c.round_id == round_id)
        with self._database.read() as connection:
            return {row.state: row.tasks for row in connection.execute(query)}


def insert_tasks(connection: sa.Connection, tasks_: Sequence[Task]) -> None:
    """Those not there yet, parents first. Raises UnknownItem."""
    check_items(connection, [task.item_id for task in tasks_])
    ordered = sorted(tasks_, key=lambda task: (task.parent_task_id is not None, task.task_id))
    insert_missing(connection, tasks, [dump(task) for task in ordered], tasks.c.task_id)


def check_items(connection: sa.Connection, item_ids: Sequence[str]) -> None:
    """Raises UnknownItem unless all are registered: an orphan of the lake must never become a task."""
    known = set(known_item_ids(connection, item_ids))
    unknown = sorted({item_id for item_id in item_ids if item_id not in known})
    if unknown:
        raise UnknownItem(f"items that are not registered: {name_some(unknown)}")


def _held() -> sa.ColumnElement[bool]:
    """An assisted task whose blind twin has no end yet: every member could read the suggestion there."""
    blind = tasks.alias("blind")
    no_end = blind.c.state.in_([*_UNSENT, TaskState.SENT.value, TaskState.ANSWERED.value])
    return sa.and_(
        tasks.c.kind == TaskKind.ASSISTED.value,
        sa.exists().where(blind.c.task_id == tasks.c.parent_task_id, no_end),
    )


Refusal = Callable[[sa.RowMapping], str | None]


def move(
    connection: sa.Connection,
    task_ids: Sequence[str],
    to: TaskState,
    values: Mapping[str, object],
    *,
    refuse: Refusal = lambda _: None,
) -> None:
    """All to one state, or none: raises NotFound, or Conflict naming those that may not go there.

    ``refuse`` says why a task may not be moved although its state allows it. Back in the queue, a task forgets
    its Label Studio ids.
    """
    before = _lock(connection, task_ids)

    def refuse_any(task: sa.RowMapping) -> str | None:
        state = TaskState(task["state"])
        return f"is {state}" if to is not state and to not in MOVES[state] else refuse(task)

    _check(before, task_ids, refuse_any, to)
    forgotten = _FORGOTTEN if to is TaskState.QUEUED else {}
    changes = {"state": to.value, "error": "", "updated_at": now(connection), **forgotten, **values}
    for part in chunks(sorted(before)):
        connection.execute(sa.update(tasks).where(among(connection, tasks.c.task_id, part)).values(changes))


def _lock(connection: sa.Connection, task_ids: Sequence[str]) -> dict[str, sa.RowMapping]:
    query = for_update(connection, sa.select(tasks).order_by(tasks.c.task_id))
    rows = {row["task_id"]: row for row in select_in(connection, query, tasks.c.task_id, sorted(set(task_ids)))}
    unknown = sorted({task_id for task_id in task_ids if task_id not in rows})
    if unknown:
        raise NotFound(f"tasks that nobody knows: {name_some(unknown)}")
    return rows


def _check(
    rows: Mapping[str, sa.RowMapping], task_ids: Sequence[str], refuse: Refusal, to: TaskState = TaskState.SENT
) -> None:
    reasons = {task_id: refuse(rows[task_id]) for task_id in task_ids}
    blocked = [f"task {task_id!r} {reason}" for task_id, reason in reasons.items() if reason]
    if blocked:
        more = f" (and {len(blocked) - 1} more)" if len(blocked) > 1 else ""
        raise Conflict(f"{blocked[0]}{more}; it cannot become {to}")
