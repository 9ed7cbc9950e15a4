"""The assisted lane on a real Label Studio: the suggestion is ticked there, counted, put back, and its origin kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import httpx
import pytest

from labeling.assisted import suggest
from labeling.policies import Policy
from labeling.records import Origin, StudioProject, TaskKind
from labeling.store.ledger import SqlLedger
from labeling.studio.client import StudioClient
from labeling.studio.embedded import EmbeddedStudio
from labeling.studio.label_config import build_result
from labeling.studio.projects import ensure_project
from labeling.studio.pull import pull_project
from labeling.studio.push import push_tasks
from tests.labeling.studio.build import ALLOWED, VIOLATES, Wire, is_import, make_tasks

pytestmark = pytest.mark.studio

SUGGESTION = suggest(0.2, 0.5, "scorer-1 v1")


@pytest.fixture
def project(client: StudioClient, ledger: SqlLedger, policy: Policy) -> StudioProject:
    return ensure_project(client, ledger.projects, policy, TaskKind.ASSISTED)


def predictions(server: EmbeddedStudio, studio_task_id: int | None) -> list[dict[str, Any]]:
    headers = {"Authorization": f"Token {server.account.token}"}
    found = httpx.get(f"{server.base_url}/api/predictions/?task={studio_task_id}", headers=headers, timeout=60)
    rows: list[dict[str, Any]] = found.json()
    return rows


def test_people_see_the_suggestion_and_nothing_else(
    client: StudioClient,
    studio_server: EmbeddedStudio,
    annotators: dict[str, str],
    ledger: SqlLedger,
    policy: Policy,
    project: StudioProject,
) -> None:
    settings = client.project(project.project_id).settings
    assert (settings["show_collab_predictions"], settings["maximum_annotations"]) == (True, 1)
    blind = ensure_project(client, ledger.projects, policy, TaskKind.BLIND)
    assert client.project(blind.project_id).settings["show_collab_predictions"] is False
    tasks = make_tasks(
        ledger, policy, ["the content"], kind=TaskKind.ASSISTED, overlap=1, prompt=SUGGESTION.as_prompt()
    )
    assert push_tasks(client, ledger.tasks, ledger.projects, project, tasks, "test").sent == 1
    token = next(iter(annotators.values()))
    path = f"{studio_server.base_url}/api/projects/{project.project_id}/next"
    shown = httpx.get(path, headers={"Authorization": f"Token {token}"}, timeout=60).json()
    assert shown["data"] == {"text": "the content", "task_id": tasks[0].task_id}
    (one,) = shown["predictions"]
    assert [row["value"] for row in one["result"]] == [{"choices": ["allowed"]}]
    assert (one["model_version"], one["score"]) == ("goldfold", pytest.approx(0.8))
    assert "scorer-1" not in str(shown)


def test_suggestions_that_an_import_lost_are_put_back(
    client: StudioClient,
    wire: Wire,
    studio_server: EmbeddedStudio,
    ledger: SqlLedger,
    policy: Policy,
    project: StudioProject,
) -> None:
    texts = ["one", "two"]
    tasks = make_tasks(ledger, policy, texts, kind=TaskKind.ASSISTED, overlap=1, prompt=SUGGESTION.as_prompt())

    def lose_them(request: httpx.Request, pass_on: Callable[[], httpx.Response]) -> httpx.Response:
        if not is_import(request):
            return pass_on()
        wire.fault = None
        client.import_tasks(project.project_id, [{"text": task.text, "task_id": task.task_id} for task in tasks])
        body = {"task_count": 2, "annotation_count": 0, "prediction_count": 0, "duration": 0.1, "file_upload_ids": []}
        more = {"could_be_tasks_list": False, "found_formats": [], "data_columns": [], "task_ids": [1, 2]}
        return httpx.Response(201, json={**body, **more}, request=request)

    wire.fault = lose_them
    report = push_tasks(client, ledger.tasks, ledger.projects, project, tasks, "test")
    assert (report.found, report.sent) == (2, 0)
    for task in ledger.tasks.find([task.task_id for task in tasks]).values():
        assert [row["model_version"] for row in predictions(studio_server, task.studio_task_id)] == ["goldfold"]


def test_what_became_of_a_suggestion_is_kept(
    client: StudioClient,
    studio_server: EmbeddedStudio,
    annotators: dict[str, str],
    ledger: SqlLedger,
    policy: Policy,
    project: StudioProject,
) -> None:
    texts = ["taken", "changed", "anew"]
    tasks = make_tasks(ledger, policy, texts, kind=TaskKind.ASSISTED, overlap=1, prompt=SUGGESTION.as_prompt())
    push_tasks(client, ledger.tasks, ledger.projects, project, tasks, "test")
    token = next(iter(annotators.values()))
    said: Sequence[tuple[str, list[dict[str, object]]]] = [
        ("prediction", build_result(ALLOWED)),
        ("prediction-changed", build_result(VIOLATES)),
        ("manual", build_result(VIOLATES)),
    ]
    for task, (origin, result) in zip(tasks, said, strict=True):
        number = ledger.tasks.get(task.task_id).studio_task_id
        (beside,) = predictions(studio_server, number)
        httpx.post(
            f"{studio_server.base_url}/api/tasks/{number}/annotations/",
            headers={"Authorization": f"Token {token}"},
            json={"result": [{**row, "origin": origin} for row in result], "parent_prediction": beside["id"]},
            timeout=60,
        ).raise_for_status()
    pull_project(client, ledger, project, policy)
    origins = [ledger.annotations.events(task.task_id)[0].origin for task in tasks]
    assert origins == [Origin.TAKEN, Origin.CHANGED, Origin.ANEW]
