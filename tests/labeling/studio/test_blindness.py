"""What an annotator can read of a blind task: the content, an opaque id, and nothing that hints at an answer."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import replace

import httpx
import pytest

from labeling.policies import Policy
from labeling.records import TaskKind
from labeling.store.ledger import SqlLedger
from labeling.studio.client import StudioClient
from labeling.studio.embedded import EmbeddedStudio
from labeling.studio.label_config import build_result
from labeling.studio.projects import Owner, ensure_project
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


def test_on_a_desk_nothing_tells_an_injection_from_a_copy(
    client: StudioClient,
    studio_server: EmbeddedStudio,
    annotators: dict[str, str],
    ledger: SqlLedger,
    policy: Policy,
) -> None:
    email, token = next(iter(annotators.items()))
    project = ensure_project(client, ledger.projects, policy, TaskKind.BLIND, overlap=1, owner=Owner("g", 1, email))
    roots = make_tasks(ledger, policy, [f"content {n}" for n in range(4)])
    kinds = (TaskKind.COPY, TaskKind.INJECTION, TaskKind.COPY, TaskKind.INJECTION)
    tasks = [
        replace(
            root,
            task_id=uuid.uuid4().hex,
            kind=kind,
            overlap=1,
            parent_task_id=root.task_id if kind is TaskKind.COPY else None,
            assignee=email,
            position=place,
            exposure=float(place),
        )
        for place, (root, kind) in enumerate(zip(roots, kinds, strict=True), start=1)
    ]
    ledger.tasks.add(tasks)
    push_tasks(client, ledger.tasks, ledger.projects, project, tasks, "test")
    with httpx.Client(
        base_url=studio_server.base_url, headers={"Authorization": f"Token {token}"}, trust_env=False
    ) as browser:
        number = project.project_id
        listed = browser.get(f"/api/tasks/?project={number}&fields=all").json()["tasks"]
        exported = browser.get(f"/api/projects/{number}/export?exportType=JSON&download_all_tasks=true").json()
        single = [browser.get(f"/api/tasks/{row['id']}/").json() for row in listed]
        title = browser.get(f"/api/projects/{number}/").text
    own = {"id", "inner_id", "data", "created_at", "updated_at"}  # what every two tasks differ in
    for rows in (listed, exported, single):
        assert [row["data"] for row in sorted(rows, key=lambda row: row["id"])] == [
            {"text": task.text, "task_id": task.task_id} for task in tasks
        ]
        shown = [{key: value for key, value in row.items() if key not in own} for row in rows]
        assert all(row == shown[0] for row in shown)
    everything = json.dumps([listed, exported, single]) + title
    for secret in ("injection", "copy", "anchor", email, *(root.task_id for root in roots), roots[0].round_id):
        assert secret not in everything
