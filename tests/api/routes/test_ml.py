"""Goldfold as Label Studio's ML backend: closed by default, for assisted projects alone."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.server import build_app
from api.service import Service
from configs.errors import SettingsError
from configs.settings import load_settings
from labeling.records import StudioProject, Task, TaskKind
from tests.api.client import assert_problem, call
from tests.api.routes.conftest import Site, give_keys
from tests.api.site import HARM, WordGoldfold, score_all, select, settings, stock

PASSWORD = "hush hush"
TOKEN = "a1b2c3d4-label-studio-access-token"


@pytest.fixture
def open_site(tmp_path: Path) -> Iterator[Site]:
    given = settings(tmp_path, ml_backend_user="studio", ml_backend_password=PASSWORD, studio_token="t" * 40)
    with Service(given, WordGoldfold(given)) as service:
        yield give_keys(Site(build_app(service), service))


def ask(site: Site, method: str, path: str, **more: Any) -> httpx.Response:
    credentials = httpx.BasicAuth("studio", PASSWORD)
    headers = {"Authorization": next(credentials.auth_flow(httpx.Request("GET", "http://x"))).headers["Authorization"]}
    return call(site.app, method, f"/ml/{path}", headers=headers, **more)


def lane(site: Site) -> dict[TaskKind, Task]:
    """One task of either kind, each in a project of its own: 7 assisted, 8 blind."""
    stock(site.goldfold)
    score_all(site.goldfold)
    select(site.goldfold)
    ledger = site.goldfold.ledger
    blind = next(task for task in ledger.tasks.where() if task.policy_id == HARM)
    assisted = replace(blind, task_id="assisted-1", kind=TaskKind.ASSISTED, prompt="")
    ledger.tasks.add([assisted])
    for number, task in ((7, assisted), (8, blind)):
        ledger.projects.add(
            StudioProject(
                project_id=number,
                base_url=site.goldfold.studio.base_url,
                policy_id=HARM,
                policy_version=task.policy_version,
                kind=task.kind,
                config_sha256="",
                watermark=None,
                created_at=datetime.now(UTC),
            )
        )
        ledger.tasks.mark_sending([task.task_id], number)
        ledger.tasks.mark_sent({task.task_id: 100 + number})
    return {task.kind: task for task in (assisted, blind)}


def studio_task(task: Task, text: str = "") -> dict[str, Any]:
    return {"id": 1, "project": 7, "data": {"text": text or task.text, "task_id": task.task_id}, "predictions": []}


def test_it_is_closed_until_the_settings_open_it(site: Site) -> None:
    for method, path in (("GET", "health"), ("GET", "versions"), ("POST", "setup"), ("POST", "predict")):
        body = {} if method == "GET" else {"json": {"project": "7.1", "tasks": []}}
        assert_problem(ask(site, method, path, **body), 404, "ml_backend_user")
    assert_problem(ask(site, "POST", "webhook", json={}), 404, "ml_backend_user")


def test_it_takes_its_own_password_and_no_api_key(open_site: Site) -> None:
    assert ask(open_site, "GET", "health").json() == {"status": "UP"}
    assert ask(open_site, "GET", "versions").json() == {"versions": ["goldfold"]}
    for user, password in (("studio", "hush"), ("Studio", PASSWORD), ("", "")):
        encoded = httpx.BasicAuth(user, password)
        header = next(encoded.auth_flow(httpx.Request("GET", "http://x"))).headers["Authorization"]
        assert_problem(call(open_site.app, "GET", "/ml/health", headers={"Authorization": header}), 401, "ml_backend")
    for key in open_site.keys.values():
        assert_problem(call(open_site.app, "GET", "/ml/health", key=key), 401)
    assert_problem(call(open_site.app, "POST", "/ml/predict", json={"project": "7.1", "tasks": []}), 401)
    assert call(open_site.app, "POST", "/ml/webhook", content=b"\xff").json() == {"status": "UP"}


def test_assisted_tasks_are_judged_by_the_text_of_the_ledger(open_site: Site) -> None:
    task = lane(open_site)[TaskKind.ASSISTED]
    body = {"project": "7.1795335612", "tasks": [studio_task(task), studio_task(task, "another text")], "params": {}}
    answer = ask(open_site, "POST", "predict", json=body)
    assert answer.status_code == 200, answer.text
    first, second = answer.json()["results"]
    assert first == second
    scorer = open_site.goldfold.scorer()
    p = float(scorer.score(["x"], [task.text]).probabilities[0][list(scorer.policies).index(HARM)])
    violates = p >= open_site.goldfold.policies[HARM].threshold
    assert first["model_version"] == "goldfold"
    assert first["score"] == pytest.approx(p if violates else 1 - p, abs=1e-5)
    (row,) = first["result"]
    assert row == {
        "id": "suggested-outcome",
        "from_name": "outcome",
        "to_name": "text",
        "type": "choices",
        "value": {"choices": ["violates" if violates else "allowed"]},
    }
    assert ask(open_site, "POST", "predict", json={"project": "7.1", "tasks": []}).json() == {"results": []}


def test_nothing_else_is_answered(open_site: Site) -> None:
    tasks = lane(open_site)
    assisted, blind = studio_task(tasks[TaskKind.ASSISTED]), studio_task(tasks[TaskKind.BLIND])
    strange: dict[str, Any] = {"id": 1, "data": {"text": "score me"}}
    for project, given in (
        ("8.1", [blind]),
        ("8.1", []),
        ("7.1", [blind]),
        ("7.1", [assisted, blind]),
        ("7.1", [strange]),
        ("7.1", [{"data": "text"}]),
        ("9.1", [assisted]),
        ("", []),
    ):
        refused = ask(open_site, "POST", "predict", json={"project": project, "tasks": given})
        assert_problem(refused, 403, "assisted")
        assert "results" not in refused.text
    assert_problem(ask(open_site, "POST", "setup", json={"project": "8.1", "access_token": TOKEN}), 403, "assisted")


def test_more_tasks_than_a_request_may_hold_are_refused(open_site: Site) -> None:
    task = studio_task(lane(open_site)[TaskKind.ASSISTED])
    most = open_site.service.settings.online_max_items
    assert_problem(
        ask(open_site, "POST", "predict", json={"project": "7.1", "tasks": [task] * (most + 1)}), 422, "tasks"
    )


def test_a_task_of_another_policy_version_gets_no_suggestion(open_site: Site) -> None:
    task = lane(open_site)[TaskKind.ASSISTED]
    old = replace(task, task_id="assisted-2", item_id=task.item_id, policy_version="0.0.1")
    open_site.goldfold.ledger.tasks.add([old])
    open_site.goldfold.ledger.tasks.mark_sending([old.task_id], 7)
    (result,) = ask(open_site, "POST", "predict", json={"project": "7.1", "tasks": [studio_task(old)]}).json()[
        "results"
    ]
    assert (result["result"], result["score"]) == ([], 0.0)


def test_the_token_of_a_setup_is_neither_logged_nor_kept(
    open_site: Site, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    lane(open_site)
    body = {"project": "7.1", "schema": "<View/>", "hostname": "http://studio", "access_token": TOKEN}
    with caplog.at_level(logging.DEBUG):
        assert ask(open_site, "POST", "setup", json=body).json() == {"model_version": "goldfold"}
        assert_problem(ask(open_site, "POST", "setup", json={**body, "project": 7}), 422)
    told = capfd.readouterr()
    assert TOKEN not in caplog.text + told.out + told.err
    folder = open_site.service.settings.data_dir
    kept = [path for path in folder.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
    assert kept == []


def test_user_and_password_go_together(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="go together"):
        load_settings(ml_backend_user="studio")
    with pytest.raises(SettingsError, match="go together"):
        load_settings(ml_backend_password=PASSWORD)
    with pytest.raises(SettingsError, match="ml_backend_user"):
        load_settings(ml_backend_user="a:b", ml_backend_password=PASSWORD)
