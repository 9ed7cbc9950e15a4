"""The projects Goldfold made in Label Studio, and who may write to each."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa

from labeling.errors import Conflict, NotFound
from labeling.records import StudioProject, TaskKind, TaskState, Unsent
from labeling.store.database import Database, now
from labeling.store.rows import dump, insert_missing, load
from labeling.store.tables import projects, tasks
from labeling.store.tasks import GROUP, move

_UNSETTLED = [state.value for state in (TaskState.SENDING, TaskState.SENT, TaskState.ANSWERED, TaskState.QUARANTINED)]

_HANDED = [TaskKind.COPY.value, TaskKind.INJECTION.value]  # in quarantine, somebody else has been asked instead
_ON_A_SCREEN = sa.and_(
    tasks.c.project_id.is_not(None),
    tasks.c.state.in_(_UNSETTLED),
    sa.not_(sa.and_(tasks.c.kind.in_(_HANDED), tasks.c.state == TaskState.QUARANTINED.value)),
)


class SqlProjects:
    """``Projects`` in SQL. Raises NotFound for an unknown project."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(
        self,
        base_url: str,
        policy_id: str,
        policy_version: str,
        kind: TaskKind,
        assignee: str = "",
        modality: str = "text",
    ) -> StudioProject | None:
        with self._database.read() as connection:
            return _find(connection, base_url, policy_id, policy_version, kind, assignee, modality)

    def all(self) -> list[StudioProject]:
        """Sorted by (address, project id)."""
        query = sa.select(projects).order_by(projects.c.base_url, projects.c.project_id)
        with self._database.read() as connection:
            return [load(StudioProject, row) for row in connection.execute(query).mappings()]

    def add(self, project: StudioProject) -> None:
        """A project already there is a no-op; another for the same policy version, kind, assignee and modality is a
        Conflict."""
        with self._database.write() as connection:
            if insert_missing(connection, projects, [dump(project)], projects.c.project_id):
                return
            same = (project.base_url, project.policy_id, project.policy_version, project.kind, project.assignee)
            there = _find(connection, *same, project.modality)
            if there is None or there.project_id != project.project_id:
                raise Conflict(
                    f"project {project.project_id} at {project.base_url}: the number, or the place for "
                    f"{project.policy_id} {project.policy_version} ({project.kind}), is taken"
                )

    def set_watermark(self, base_url: str, project_id: int, watermark: datetime) -> None:
        with self._database.write() as connection:
            done = connection.execute(_update(base_url, project_id).values(watermark=watermark))
            _check_found(done.rowcount, base_url, project_id)

    def set_relinked(self, base_url: str, project_id: int, at: datetime) -> None:
        with self._database.write() as connection:
            done = connection.execute(_update(base_url, project_id).values(relinked_at=at))
            _check_found(done.rowcount, base_url, project_id)

    def forget(self, base_url: str, project_id: int) -> None:
        """A no-op when it is forgotten already."""
        with self._database.write() as connection:
            gone = sa.delete(projects).where(projects.c.base_url == base_url, projects.c.project_id == project_id)
            if connection.execute(gone).rowcount == 0:
                return
            query = sa.select(tasks.c.task_id).where(tasks.c.project_id == project_id, tasks.c.state.in_(_UNSETTLED))
            move(connection, list(connection.execute(query).scalars()), TaskState.QUEUED, {})

    def on_screens(self) -> list[Unsent]:
        group = [tasks.c[name] for name in GROUP]
        query = sa.select(*group, sa.func.count().label("tasks")).where(_ON_A_SCREEN).group_by(*group).order_by(*group)
        with self._database.read() as connection:
            return [load(Unsent, row) for row in connection.execute(query).mappings()]

    def forget_all(self) -> int:
        """As ``forget`` for every project of every address, all or none; how many tasks are queued again."""
        query = sa.select(tasks.c.task_id).where(_ON_A_SCREEN).order_by(tasks.c.task_id)
        with self._database.write() as connection:
            lost = list(connection.execute(query).scalars())
            move(connection, lost, TaskState.QUEUED, {})
            connection.execute(sa.delete(projects))
            return len(lost)

    def lease(self, base_url: str, project_id: int, holder: str, seconds: float) -> bool:
        with self._database.write() as connection:
            at = now(connection)
            free = sa.or_(
                projects.c.lease_holder.is_(None), projects.c.lease_holder == holder, projects.c.lease_until < at
            )
            values = {"lease_holder": holder, "lease_until": at + timedelta(seconds=seconds)}
            taken = connection.execute(_update(base_url, project_id).where(free).values(values)).rowcount
            if not taken:
                known = sa.select(projects.c.project_id).where(
                    projects.c.base_url == base_url, projects.c.project_id == project_id
                )
                _check_found(len(connection.execute(known).all()), base_url, project_id)
            return bool(taken)

    def release(self, base_url: str, project_id: int, holder: str) -> None:
        """A no-op unless ``holder`` holds it."""
        own = _update(base_url, project_id).where(projects.c.lease_holder == holder)
        with self._database.write() as connection:
            connection.execute(own.values(lease_holder=None, lease_until=None))


def _find(
    connection: sa.Connection,
    base_url: str,
    policy_id: str,
    policy_version: str,
    kind: TaskKind,
    assignee: str,
    modality: str,
) -> StudioProject | None:
    query = sa.select(projects).where(
        projects.c.base_url == base_url,
        projects.c.policy_id == policy_id,
        projects.c.policy_version == policy_version,
        projects.c.kind == kind.value,
        projects.c.assignee == assignee,
        projects.c.modality == modality,
    )
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else load(StudioProject, row)


def _update(base_url: str, project_id: int) -> sa.Update:
    return sa.update(projects).where(projects.c.base_url == base_url, projects.c.project_id == project_id)


def _check_found(rows: int, base_url: str, project_id: int) -> None:
    if rows == 0:
        raise NotFound(f"Goldfold made no project {project_id} at {base_url}")
