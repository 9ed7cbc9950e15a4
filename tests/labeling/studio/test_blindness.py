"""What an annotator can read of a blind task: the content, an opaque id, and nothing that hints at an answer."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx
import pytest

from labeling.policies import Policy
from labeling.records import TaskKind
from labeling.store.ledger import SqlLedger
from labeling.studio.client import StudioClient
from labeling.studio.embedded import EmbeddedStudio
from labeling.studio.label_config import build_result
from labeling.studio.projects import ensure_project
from labeling.studio.push import push_tasks
from tests.labeling.studio.build import VIOLATES, make_tasks

pytestmark = pytest.mark.studio


def test_an_annotator_sees_content_and_opaque_id_only(
    client: StudioClient,
    studio_server: EmbeddedStudio,
    annotators: dict[str, str],
    people: Callable[[int], StudioClient],
    ledger: SqlLedger,
    policy: Policy,
) -> None:
    project = ensure_project(client, ledger.projects, policy, TaskKind.BLIND)
    [task] = make_tasks(ledger, policy, ["the content itself"])
    push_tasks(client, ledger.tasks, ledger.projects, project, [task], "test")
    number = ledger.tasks.get(task.task_id).studio_task_id
    token = annotators["annotator-1@goldfold.example"]
    paths = [
        f"/api/tasks/{number}/",
        f"/api/projects/{project.project_id}/next",
        f"/api/tasks/?project={project.project_id}&fields=all",
        f"/api/projects/{project.project_id}/export?exportType=JSON&download_all_tasks=true",
        f"/api/projects/{project.project_id}/",
        f"/api/predictions/?task={number}",
    ]
    with httpx.Client(
        base_url=studio_server.base_url, headers={"Authorization": f"Token {token}"}, trust_env=False
    ) as browser:
        answers = [browser.get(path) for path in paths]
    assert [answer.status_code for answer in answers] == [200] * len(paths)
    for answer, path in zip(answers[:4], paths, strict=False):
        body = answer.json()
        row = body["tasks"][0] if "tasks" in body else body[0] if isinstance(body, list) else body
        assert row["data"] == {"text": "the content itself", "task_id": task.task_id}, path
        assert (row["predictions"], row["meta"]) == ([], {}), path
    everything = "".join(answer.text for answer in answers)
    for secret in (task.round_id, task.item_id, task.content_hash, "scorer-1"):
        assert secret not in everything
    assert answers[-1].json() == []

    people(1).annotate(number or 0, build_result(VIOLATES))
    with httpx.Client(
        base_url=studio_server.base_url, headers={"Authorization": f"Token {token}"}, trust_env=False
    ) as browser:
        served = browser.get(f"/api/projects/{project.project_id}/next").json()
    assert (served["id"], served["annotations"], served["predictions"]) == (number, [], [])
    assert "threats" not in json.dumps(served)
