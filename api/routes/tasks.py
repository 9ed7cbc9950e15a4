"""Tasks and what waits for a lead: /v1/tasks. Answers are read here, never given: people answer in Label Studio."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from api.auth import Role, require
from api.composition import Goldfold
from api.problems import documented
from api.routes.state import TheGoldfold
from labeling.errors import NotFound
from labeling.records import Annotation, Task, TaskKind, TaskState

router = APIRouter(prefix="/v1/tasks", tags=["tasks"], responses=documented(404))


class TaskOut(BaseModel):
    """A task, without its content."""

    task_id: str
    kind: TaskKind
    round_id: str
    item_id: str
    policy_id: str
    policy_version: str
    parent_task_id: str | None
    state: TaskState
    studio_url: str | None
    error: str
    updated_at: datetime

    @classmethod
    def of(cls, task: Task, studio_url: str) -> TaskOut:
        sent = task.project_id is not None and task.studio_task_id is not None
        return cls(
            task_id=task.task_id,
            kind=task.kind,
            round_id=task.round_id,
            item_id=task.item_id,
            policy_id=task.policy_id,
            policy_version=task.policy_version,
            parent_task_id=task.parent_task_id,
            state=task.state,
            studio_url=f"{studio_url}/projects/{task.project_id}/data?task={task.studio_task_id}" if sent else None,
            error=task.error,
            updated_at=task.updated_at,
        )


class AnnotationOut(BaseModel):
    """One person's live answer."""

    annotator: str
    outcome: str
    rule: str | None
    severity: int | None
    confidence: int | None
    rationale: str
    lead_time_s: float | None

    @classmethod
    def of(cls, annotation: Annotation) -> AnnotationOut:
        answer = annotation.answer
        return cls(
            annotator=annotation.annotator,
            outcome=str(answer.outcome),
            rule=answer.rule,
            severity=answer.severity,
            confidence=answer.confidence,
            rationale=answer.rationale,
            lead_time_s=annotation.lead_time_s,
        )


@router.get("", dependencies=[Depends(require(Role.ENGINEER))])
def list_tasks(
    goldfold: TheGoldfold,
    round_id: str | None = None,
    state: TaskState | None = None,
    kind: TaskKind | None = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 200,
) -> list[TaskOut]:
    """Tasks of a round, in a state, of a kind; ``kind=adjudication&state=sent`` is what waits for a lead. Injections
    are not among them."""
    states = (state,) if state else ()
    tasks = goldfold.ledger.tasks
    found = tasks.where(round_id=round_id, states=states, kind=kind, without=TaskKind.INJECTION, limit=limit)
    return [TaskOut.of(task, goldfold.settings.studio_url) for task in found]


@router.get("/{task_id}", dependencies=[Depends(require(Role.ENGINEER))])
def get_task(goldfold: TheGoldfold, task_id: str) -> TaskOut:
    """One task. An injection is told as if it were not there."""
    return TaskOut.of(_told(goldfold, task_id), goldfold.settings.studio_url)


@router.get("/{task_id}/annotations", dependencies=[Depends(require(Role.LEAD))])
def get_annotations(goldfold: TheGoldfold, task_id: str) -> list[AnnotationOut]:
    """The live answers to a task. Leads only: an annotator's answer is not for other annotators."""
    _told(goldfold, task_id)
    return [AnnotationOut.of(a) for a in goldfold.ledger.annotations.current([task_id]).get(task_id, [])]


def _told(goldfold: Goldfold, task_id: str) -> Task:
    task = goldfold.ledger.tasks.get(task_id)
    if task.kind is TaskKind.INJECTION:
        raise NotFound(f"no task has the id {task_id!r}")
    return task
