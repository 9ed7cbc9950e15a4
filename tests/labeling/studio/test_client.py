from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from labeling.errors import StudioGone, StudioUnauthorized, StudioUnreachable
from labeling.records import TaskKind
from labeling.studio.client import StudioClient
from labeling.studio.embedded import EmbeddedStudio
from labeling.studio.label_config import build_result, label_config
from labeling.studio.projects import SETTINGS
from tests.labeling.studio.build import ALLOWED, make_policy
from tests.studio_server import personal

pytestmark = pytest.mark.studio
NOWHERE = 999_999


@pytest.fixture
def project_id(client: StudioClient) -> int:
    return client.create_project("Queue", "none of Goldfold's", label_config(make_policy(), TaskKind.BLIND), SETTINGS)


def test_the_rooms_import_does_not_load_the_sdk() -> None:
    code = (
        "import sys, labeling.studio.client as c; c.StudioClient('http://127.0.0.1:1', 'x').close(); "
        "sys.exit('label_studio_sdk.client' in sys.modules or 'pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-W", "error", "-c", code], check=False).returncode == 0


def test_who_and_when(client: StudioClient, studio_server: EmbeddedStudio) -> None:
    assert client.version() == "1.23.2"
    assert client.healthy()
    assert client.whoami() == studio_server.account.email
    assert abs(client.clock() - datetime.now(UTC)) < timedelta(seconds=5)
    assert studio_server.account.email in client.people().values()


def test_a_project_as_it_was_made(client: StudioClient, project_id: int) -> None:
    state = client.project(project_id)
    assert (state.title, state.description) == ("Queue", "none of Goldfold's")
    assert {key: state.settings[key] for key in SETTINGS} == SETTINGS
    assert project_id in [row.project_id for row in client.projects()]
    client.delete_project(project_id)
    with pytest.raises(StudioGone):
        client.project(project_id)


def test_tasks_there_and_back(client: StudioClient, project_id: int, people: Callable[[int], StudioClient]) -> None:
    numbers = client.import_tasks(project_id, [{"text": "one", "task_id": "a"}, {"text": "two", "task_id": "b"}])
    found = client.find_tasks(project_id, ["b", "a", "none"])
    assert [(task.task_id, task.studio_task_id) for task in found] == [("a", numbers[0]), ("b", numbers[1])]
    before = client.clock() - timedelta(seconds=1)
    people(0).annotate(numbers[0], build_result(ALLOWED), 2.5)
    client.set_overlap(numbers[1], 3)
    [page] = client.pages(project_id, before)
    assert [(len(task.annotations), task.overlap) for task in page] == [(1, 1), (0, 3)]
    assert page[0].annotations[0].lead_time_s == 2.5
    assert client.people()[page[0].annotations[0].completed_by or 0] == "annotator-1@goldfold.example"
    assert list(client.pages(project_id, client.clock() + timedelta(minutes=1))) == []
    client.delete_task(numbers[1])
    assert [task.task_id for page in client.pages(project_id) for task in page] == ["a"]


def test_many_tasks_come_in_pages(client: StudioClient, project_id: int) -> None:
    ids = [f"t{n:03}" for n in range(230)]
    client.import_tasks(project_id, [{"text": "x", "task_id": task_id} for task_id in ids])
    pages = list(client.pages(project_id))
    assert [len(page) for page in pages] == [100, 100, 30]
    assert [task.task_id for page in pages for task in page] == ids
    assert [task.task_id for task in client.find_tasks(project_id, ids)] == ids


def test_what_is_gone_is_told(client: StudioClient) -> None:
    with pytest.raises(StudioGone):
        client.import_tasks(NOWHERE, [{"text": "x"}])
    with pytest.raises(StudioGone):
        client.find_tasks(NOWHERE, ["a"])
    with pytest.raises(StudioGone):
        client.delete_task(NOWHERE)
    with pytest.raises(StudioGone):
        client.annotate(NOWHERE, [])


def test_a_wrong_token_is_told(studio_server: EmbeddedStudio) -> None:
    with StudioClient(studio_server.base_url, "0" * 40) as stranger:
        assert stranger.version() == "1.23.2"  # open to all: no proof that the token is good
        with pytest.raises(StudioUnauthorized, match="legacy token"):
            stranger.whoami()
        with pytest.raises(StudioUnauthorized):
            stranger.create_project("abc", "", "<View/>", {})


def test_a_personal_access_token_works(studio_server: EmbeddedStudio, project_id: int) -> None:
    with StudioClient(studio_server.base_url, personal(studio_server)) as client:
        assert client.whoami() == studio_server.account.email
        assert client.import_tasks(project_id, [{"text": "x", "task_id": "p"}])


def test_a_server_that_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labeling.studio.transport.FIRST_WAIT_S", 0.001)
    with StudioClient("http://127.0.0.1:9", "x") as client:
        assert not client.healthy()
        with pytest.raises(StudioUnreachable, match="does not answer"):
            client.whoami()
        with pytest.raises(StudioUnreachable, match="does not answer"):
            client.create_project("abc", "", "<View/>", {})
