"""A real Label Studio asks Goldfold for suggestions: for an assisted project, and in vain for a blind one."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.server import serving
from api.service import Service
from labeling.assisted import suggest
from labeling.records import StudioProject, Task, TaskKind
from labeling.studio.embedded import EmbeddedStudio
from labeling.studio.projects import ensure_project
from labeling.studio.push import push_tasks
from tests.api.site import HARM, WordGoldfold, score_all, select, settings, stock

pytestmark = [pytest.mark.studio, pytest.mark.slow]

PASSWORD = "hush hush"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def service(tmp_path: Path, studio_server: EmbeddedStudio) -> Iterator[Service]:
    given = settings(
        tmp_path,
        port=free_port(),
        studio_url=studio_server.base_url,
        studio_token=studio_server.account.token,
        studio_owner="ml-backend",
        sync_interval_s=3600,
        ml_backend_user="studio",
        ml_backend_password=PASSWORD,
    )
    with Service(given, WordGoldfold(given)) as made, serving(made):
        yield made


@pytest.fixture
def http(studio_server: EmbeddedStudio) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Token {studio_server.account.token}"}
    with httpx.Client(base_url=studio_server.base_url, headers=headers, timeout=120, trust_env=False) as client:
        yield client


def sent(service: Service, kind: TaskKind) -> tuple[StudioProject, Task]:
    """A task in its project."""
    goldfold = service.goldfold
    ledger, policy = goldfold.ledger, goldfold.policies[HARM]
    task = next(task for task in ledger.tasks.where() if task.policy_id == HARM)
    if kind is TaskKind.ASSISTED:
        prompt = suggest(0.2, 0.5, "older").as_prompt()
        task = replace(task, task_id="assisted-1", kind=kind, overlap=1, prompt=prompt)
        ledger.tasks.add([task])
    project = ensure_project(goldfold.studio, ledger.projects, policy, kind, owner="ml-backend")
    push_tasks(goldfold.studio, ledger.tasks, ledger.projects, project, [task], "test")
    return project, ledger.tasks.get(task.task_id)


def connect(http: httpx.Client, service: Service, project: StudioProject, password: str = PASSWORD) -> httpx.Response:
    body = {
        "project": project.project_id,
        "url": f"http://127.0.0.1:{service.settings.port}/ml",
        "title": "goldfold",
        "is_interactive": True,
        "auth_method": "BASIC_AUTH",
        "basic_auth_user": "studio",
        "basic_auth_pass": password,
    }
    return http.post("/api/ml/", json=body)


def predictions(http: httpx.Client, task: Task) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = http.get("/api/predictions/", params={"task": str(task.studio_task_id)}).json()
    return rows


def retrieve(http: httpx.Client, project: StudioProject) -> None:
    params = {"id": "retrieve_tasks_predictions", "project": str(project.project_id)}
    http.post(
        "/api/dm/actions", params=params, json={"selectedItems": {"all": True, "excluded": []}}
    ).raise_for_status()


def test_suggestions_for_assisted_projects_alone(service: Service, http: httpx.Client) -> None:
    stock(service.goldfold)
    score_all(service.goldfold)
    select(service.goldfold)
    assisted, task = sent(service, TaskKind.ASSISTED)
    blind, _ = sent(service, TaskKind.BLIND)
    assert connect(http, service, blind).status_code == 400
    assert connect(http, service, assisted, "wrong").status_code == 400
    made = connect(http, service, assisted)
    assert made.status_code == 201, made.text
    (imported,) = predictions(http, task)
    retrieve(http, assisted)
    assert [row["id"] for row in predictions(http, task)] == [imported["id"]]  # it has its suggestion: no second one
    http.delete(f"/api/predictions/{imported['id']}/").raise_for_status()
    retrieve(http, assisted)
    (fresh,) = predictions(http, task)
    assert (fresh["model_version"], fresh["result"][0]["from_name"]) == ("goldfold", "outcome")
