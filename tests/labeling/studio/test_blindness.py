"""What an annotator can read of a blind task: the content, an opaque id, and nothing that hints at an answer.

Every member of a free Label Studio may read everything in it, so all that it gives out is read here with an
annotator's token. One thing Goldfold cannot take away: once a colleague has answered in the same project, whoever asks
the server's API for that very task reads the answer there. What the labelling screen is fed from does not show it.
"""

from __future__ import annotations

import csv
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import httpx
import pytest

from labeling.policies import Policy
from labeling.records import Item, PickRow, Round, RoundState, StudioProject, Task, TaskKind, TaskState
from labeling.store.ledger import SqlLedger
from labeling.studio.client import StudioClient
from labeling.studio.embedded import EmbeddedStudio
from labeling.studio.label_config import build_result
from labeling.studio.projects import Owner, ensure_project
from labeling.studio.push import push_tasks
from labeling.studio.webhooks import ensure_webhook
from tests.labeling.studio.build import VIOLATES, make_tasks

pytestmark = pytest.mark.studio

TEXT = "the content itself"
LANE, REASON, GROUP, PROBABILITY = "lane-of-doubt", "reason-near-threshold", "group-of-copies", 0.73519
HOOK = "http://127.0.0.1:9/v1/webhooks/label-studio"
SCREEN = "/api/projects/{project}/next"  # what the labelling screen is fed from
TASKS = (
    SCREEN,
    "/api/tasks/{task}/",
    "/api/tasks/?project={project}&fields=all",
    "/api/tasks/?project={project}&fields=task_only",
    "/api/projects/{project}/tasks/",
    "/api/projects/{project}/export?exportType=JSON&download_all_tasks=true",
    "/api/projects/{project}/export?exportType=JSON_MIN&download_all_tasks=true",
    "/api/projects/{project}/export?exportType=CSV&download_all_tasks=true",
)
CSV_COLUMNS = {"annotation_id", "annotator", "created_at", "id", "lead_time", "task_id", "text", "updated_at"}
EMPTY = (
    "/api/tasks/{task}/annotations/",
    "/api/tasks/{task}/drafts",
    "/api/predictions/?task={task}",
    "/api/predictions/?project={project}",
    "/api/projects/{project}/model-versions/",
    "/api/projects/{project}/file-uploads",
    "/api/projects/{project}/exports/",
    "/api/ml/?project={project}",
    "/api/storages/?project={project}",
    "/api/storages/export?project={project}",
)
ABOUT = (
    "/api/projects/",
    "/api/projects/{project}/",
    "/api/projects/{project}/summary/",
    "/api/projects/{project}/sample-task",
    "/api/dm/views/?project={project}",
    "/api/dm/columns/?project={project}",
    "/api/dm/project?project={project}",
    "/api/dm/actions?project={project}",
    "/api/webhooks/?project={project}",
    "/api/users/",
    "/api/current-user/whoami",
)


@pytest.fixture
def annotator(studio_server: EmbeddedStudio, annotators: dict[str, str]) -> Iterator[httpx.Client]:
    token = annotators["annotator-1@goldfold.example"]
    headers = {"Authorization": f"Token {token}"}
    with httpx.Client(base_url=studio_server.base_url, headers=headers, trust_env=False, timeout=60) as browser:
        yield browser


@pytest.fixture
def sent(client: StudioClient, ledger: SqlLedger, policy: Policy) -> tuple[StudioProject, Task]:
    """One pick of a round, with all that the ledger knows of it, and its blind task in Label Studio."""
    now, name = datetime.now(UTC), uuid.uuid4().hex
    item = Item(f"item-{name}", f"external-{name}", TEXT, f"hash-{name}")
    ledger.items.register([item], 1)
    ledger.rounds.create(Round(f"round-{name}", RoundState.PLANNED, 7, {}, {}, "", (), now, now))
    pick = PickRow(f"round-{name}", item.item_id, policy.id, LANE, 0.25, PROBABILITY, GROUP, (REASON,))
    task = Task(
        task_id=uuid.uuid4().hex,
        kind=TaskKind.BLIND,
        round_id=pick.round_id,
        item_id=item.item_id,
        policy_id=policy.id,
        policy_version=policy.version,
        text=TEXT,
        content_hash=item.content_hash,
        overlap=2,
        state=TaskState.QUEUED,
        project_id=None,
        studio_task_id=None,
        parent_task_id=None,
        error="",
        created_at=now,
        updated_at=now,
    )
    ledger.rounds.record_selection(pick.round_id, [pick], [task], {}, "scorer-of-all", ["a-note"])
    project = ensure_project(client, ledger.projects, policy, TaskKind.BLIND)
    ensure_webhook(client, project.project_id, HOOK, "the-webhook-secret")
    push_tasks(client, ledger.tasks, ledger.projects, project, [task], "test")
    return project, ledger.tasks.get(task.task_id)


def read(
    annotator: httpx.Client, sent: tuple[StudioProject, Task], paths: tuple[str, ...]
) -> dict[str, httpx.Response]:
    project, task = sent
    found = {path: annotator.get(path.format(project=project.project_id, task=task.studio_task_id)) for path in paths}
    assert {path: answer.status_code for path, answer in found.items()} == dict.fromkeys(paths, 200)
    return found


def secrets(task: Task) -> list[str]:
    known = [task.round_id, task.item_id, task.content_hash, task.item_id.replace("item-", "external-")]
    return [*known, LANE, REASON, GROUP, str(PROBABILITY), "scorer-of-all", "a-note"]


def test_nothing_that_label_studio_gives_out_holds_what_the_ledger_knows(
    annotator: httpx.Client, sent: tuple[StudioProject, Task]
) -> None:
    found = read(annotator, sent, TASKS + EMPTY + ABOUT)
    everything = "".join(answer.text for answer in found.values())
    assert sent[1].task_id in everything
    assert TEXT in everything
    for secret in secrets(sent[1]):
        assert secret not in everything
    for path in EMPTY:
        assert found[path].json() in ([], {}), path


def test_a_task_holds_its_content_and_an_opaque_id_wherever_it_is_shown(
    annotator: httpx.Client, sent: tuple[StudioProject, Task]
) -> None:
    expected = {"text": TEXT, "task_id": sent[1].task_id}
    for path, answer in read(annotator, sent, TASKS).items():
        if "CSV" in path:
            (cells,) = csv.DictReader(StringIO(answer.text))
            assert cells.keys() == CSV_COLUMNS
            assert (cells["text"], cells["task_id"], cells["annotation_id"], cells["annotator"]) == (
                *expected.values(),
                "",
                "",
            )
            continue
        body = answer.json()
        (row,) = body["tasks"] if "tasks" in body else body if isinstance(body, list) else [body]
        if "JSON_MIN" in path:
            assert {key: value for key, value in row.items() if key in expected} == expected
            row = {"data": expected, **row}
        assert row["data"] == expected, path
        told = list(_keys(row))
        assert not [value for key, value in told if key == "predictions" and value], path
        assert not [value for key, value in told if key in ("score", "predictions_score") and value is not None], path
        assert not [value for key, value in told if key == "ground_truth" and value], path
        assert not [value for key, value in told if key == "meta" and value], path


def _keys(value: Any) -> Iterator[tuple[str, Any]]:
    """Every key of a JSON value with what it holds, however deep."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key, inner
            yield from _keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _keys(inner)


def test_the_labelling_screen_is_fed_no_colleagues_answer(
    annotator: httpx.Client, sent: tuple[StudioProject, Task], people: Callable[[int], StudioClient]
) -> None:
    people(1).annotate(sent[1].studio_task_id or 0, build_result(VIOLATES))
    served = read(annotator, sent, (SCREEN,))[SCREEN].json()
    assert served["id"] == sent[1].studio_task_id
    assert (served["annotations"], served["predictions"], served["drafts"]) == ([], [], [])
    assert VIOLATES.rationale not in json.dumps(served)
    about = "".join(answer.text for answer in read(annotator, sent, ABOUT).values())
    assert VIOLATES.rationale not in about


def test_the_free_edition_shows_a_colleagues_answer_to_whoever_asks_its_api(
    annotator: httpx.Client, sent: tuple[StudioProject, Task], people: Callable[[int], StudioClient]
) -> None:
    """Told in docs/annotators.md. Where this fails, the server has learnt to hide it, and the page may say so."""
    people(1).annotate(sent[1].studio_task_id or 0, build_result(VIOLATES))
    one = read(annotator, sent, ("/api/tasks/{task}/",))["/api/tasks/{task}/"]
    assert VIOLATES.rationale in one.text


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
