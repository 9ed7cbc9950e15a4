"""Goldfold as an ML backend of Label Studio, for assisted projects alone: /ml. Closed until the settings name a user.

Label Studio sends an access token of its own with /setup, and whole tasks with /predict. Neither is read: what is
scored is the text that the ledger holds, so that no task of a blind project, and no edited one, is answered. For an
image it repeats what was suggested when it was picked.
"""

from __future__ import annotations

import hmac
import time
from functools import partial
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Depends, Request
from fastapi.security import HTTPBasic, HTTPBasicCredentials
from pydantic import BaseModel, ConfigDict, Field

from api.composition import Goldfold
from api.errors import Forbidden, Unauthenticated
from api.problems import documented
from api.routes.state import TheGoldfold, TheService, service
from api.service import Service
from labeling.assisted import suggest, suggested
from labeling.errors import InvalidInput, NotFound
from labeling.judging.operating import under
from labeling.policies import Policies
from labeling.records import StudioProject, Task, TaskKind
from labeling.studio.payload import SUGGESTED_BY, prediction

_NOTHING: dict[str, Any] = {"model_version": SUGGESTED_BY, "score": 0.0, "result": []}
basic = HTTPBasic(auto_error=False, description="The settings ml_backend_user and ml_backend_password.")


class Up(BaseModel):
    """The backend is there."""

    status: str = "UP"


class SetupIn(BaseModel):
    """What is read of a setup; the rest, an access token among it, is dropped unread."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"project": "30.1795335612"}]})

    project: str = Field(max_length=64)


class SetupOut(BaseModel):
    """The name under which suggestions stand. It is no scorer's: Label Studio shows those of one name a project."""

    model_version: str = SUGGESTED_BY


class VersionsOut(BaseModel):
    """The one name there is."""

    versions: list[str] = [SUGGESTED_BY]


class PredictIn(BaseModel):
    """What is read of a request for predictions: of each task its ``data.task_id``."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"project": "30.1795335612", "tasks": [{"data": {"task_id": "0f3a"}}]}]}
    )

    project: str = Field(max_length=64)
    tasks: list[dict[str, Any]]


class PredictOut(BaseModel):
    """One prediction a task, in their order; ``result`` is empty where the scorer cannot judge the task."""

    results: list[dict[str, Any]]


async def _open(found: Annotated[Service, Depends(service)]) -> Service:
    """The service, if its settings open the backend. Raises NotFound."""
    if not found.settings.ml_backend_user:
        raise NotFound("no ML backend is served here: set ml_backend_user and ml_backend_password to open it")
    return found


async def _known(
    found: Annotated[Service, Depends(_open)], given: Annotated[HTTPBasicCredentials | None, Depends(basic)]
) -> None:
    """Raises Unauthenticated unless user and password are those of the settings."""
    settings = found.settings
    wanted = (settings.ml_backend_user, settings.ml_backend_password.get_secret_value())
    told = (given.username, given.password) if given else ("", "")
    same = [hmac.compare_digest(a.encode(), b.encode()) for a, b in zip(told, wanted, strict=True)]
    if not all(same):
        raise Unauthenticated("the ML backend's user or password is wrong: see ml_backend_user and ml_backend_password")


opened = APIRouter(dependencies=[Depends(_open)])
closed = APIRouter(dependencies=[Depends(_known)])


@closed.get("/health")
async def health() -> Up:
    """Whether the backend is there."""
    return Up()


@closed.post("/setup")
async def setup(goldfold: TheGoldfold, given: SetupIn) -> SetupOut:
    """Connect an assisted project; any other is refused."""
    await anyio.to_thread.run_sync(partial(_project, goldfold, given.project))
    return SetupOut()


@closed.get("/versions")
async def versions() -> VersionsOut:
    """The name under which suggestions stand."""
    return VersionsOut()


@closed.post("/predict", responses=documented(429, 503, 504))
async def predict(service: TheService, request: Request, given: PredictIn) -> PredictOut:
    """Suggest an outcome for tasks of an assisted project, by the scorer and the queue of /v1/score."""
    settings, goldfold = service.settings, service.goldfold
    if len(given.tasks) > settings.online_max_items:
        raise InvalidInput(f"tasks: {len(given.tasks)} are more than {settings.online_max_items} (online_max_items)")
    tasks = await anyio.to_thread.run_sync(partial(_tasks, goldfold, given))
    if not tasks:
        return PredictOut(results=[])
    deadline_s = request.state.began_s + settings.online_deadline_ms / 1000 - time.perf_counter()
    texts = [task for task in tasks if task.modality == "text"]
    told = {task.task_id: _told(task) for task in tasks if task.modality != "text"}
    if texts:
        verdict = await service.online.score([task.text for task in texts], deadline_s)
        model = f"{verdict.judge.scorer.name} {verdict.judge.scorer.version}"
        policies = under(verdict.judge.model, goldfold.policies)
        for task, row in zip(texts, verdict.rows, strict=True):
            told[task.task_id] = _result(policies, task, row.probabilities, model)
    return PredictOut(results=[told[task.task_id] for task in tasks])


@opened.post("/webhook")
async def webhook() -> Up:
    """Events of a connected project. Label Studio sends them without a password, so nothing of them is read."""
    return Up()


router = APIRouter(prefix="/ml", tags=["ml"], responses=documented(401, 403, 404))
router.include_router(closed)
router.include_router(opened)


def _project(goldfold: Goldfold, told: str) -> StudioProject:
    """The assisted project that Label Studio names ("30.1795335612": number and time). Raises Forbidden."""
    number, base_url = told.partition(".")[0], goldfold.studio.base_url
    for project in goldfold.ledger.projects.all():
        if (project.base_url, str(project.project_id)) == (base_url, number) and project.kind is TaskKind.ASSISTED:
            return project
    raise Forbidden("project: no assisted project of Goldfold; suggestions are for those alone")


def _tasks(goldfold: Goldfold, given: PredictIn) -> list[Task]:
    """The ledger's tasks, in the order given. Raises Forbidden when one is no assisted task of that project."""
    project = _project(goldfold, given.project)
    ids = [str(data.get("task_id", "")) if isinstance(data := task.get("data"), dict) else "" for task in given.tasks]
    known = goldfold.ledger.tasks.find(ids)
    for task_id in ids:
        task = known.get(task_id)
        if task is None or task.kind is not TaskKind.ASSISTED or task.project_id != project.project_id:
            raise Forbidden("tasks: not every task is an assisted one of that project; suggestions are for those alone")
    return [known[task_id] for task_id in ids]


def _told(task: Task) -> dict[str, Any]:
    """What was suggested when an image was picked: no image is scored online."""
    found = suggested(task)
    return _NOTHING if found is None else prediction(found)


def _result(policies: Policies, task: Task, probabilities: dict[str, float], model: str) -> dict[str, Any]:
    policy = policies.get(task.policy_id)
    if policy is None or policy.version != task.policy_version or policy.id not in probabilities:
        return _NOTHING
    return prediction(suggest(probabilities[policy.id], policy.threshold, model))
