from __future__ import annotations

from dataclasses import replace

import httpx
import pytest

from labeling.errors import InvalidInput, StudioGone, StudioRefused
from labeling.policies import Policy
from labeling.records import TaskKind, TaskState
from labeling.store.ledger import SqlLedger
from labeling.studio.client import StudioClient
from labeling.studio.label_config import label_config
from labeling.studio.projects import SETTINGS, Owner, check_project, ensure_project, marker
from labeling.studio.push import push_tasks
from tests.labeling.studio.build import Wire, make_policy, make_tasks

pytestmark = pytest.mark.studio


def ours(client: StudioClient, policy: Policy) -> list[int]:
    return [row.project_id for row in client.projects() if f"goldfold:{policy.id}@" in row.description]


def test_one_project_per_version_and_kind(client: StudioClient, ledger: SqlLedger, policy: Policy) -> None:
    blind = ensure_project(client, ledger.projects, policy, TaskKind.BLIND)
    assert ensure_project(client, ledger.projects, policy, TaskKind.BLIND) == blind
    lead = ensure_project(client, ledger.projects, policy, TaskKind.ADJUDICATION)
    newer = ensure_project(client, ledger.projects, policy.model_copy(update={"version": "1.1.0"}), TaskKind.BLIND)
    assert sorted(ours(client, policy)) == sorted({blind.project_id, lead.project_id, newer.project_id})
    settings = client.project(blind.project_id).settings
    assert {key: settings[key] for key in SETTINGS} == SETTINGS
    assert settings["maximum_annotations"] == 2
    assert client.project(lead.project_id).settings["maximum_annotations"] == 1


def test_each_desk_has_a_project_that_names_nobody(client: StudioClient, ledger: SqlLedger, policy: Policy) -> None:
    shared = ensure_project(client, ledger.projects, policy, TaskKind.BLIND)
    owners = [Owner("goldfold", desk, f"person-{desk}@example.org") for desk in (1, 2)]
    first, second = (
        ensure_project(client, ledger.projects, policy, TaskKind.BLIND, overlap=1, owner=owner) for owner in owners
    )
    assert len({shared.project_id, first.project_id, second.project_id}) == 3
    assert ensure_project(client, ledger.projects, policy, TaskKind.BLIND, owner=owners[0]) == first
    for desk, project in enumerate((first, second), start=1):
        state = check_project(client, project)
        assert state.title.endswith(f"1.0.0 desk {desk}")
        assert state.description == f"goldfold:{policy.id}@1.0.0:blind:desk-{desk}:goldfold"
        assert "example.org" not in state.title + state.description
        assert state.settings["maximum_annotations"] == 1
        assert state.label_config == client.project(shared.project_id).label_config
    ledger.projects.forget(first.base_url, first.project_id)  # a ledger that died before it had written it down
    assert (
        ensure_project(client, ledger.projects, policy, TaskKind.BLIND, owner=owners[0]).project_id == first.project_id
    )
    (blind,) = make_tasks(ledger, policy, ["one text"])
    with pytest.raises(InvalidInput, match="does not belong in project"):
        push_tasks(client, ledger.tasks, ledger.projects, first, [blind], "test")


def test_a_crash_before_it_was_recorded_makes_no_second_one(
    client: StudioClient, ledger: SqlLedger, policy: Policy
) -> None:
    made = client.create_project("Before the crash", marker(policy.id, "1.0.0", TaskKind.BLIND) + "goldfold",
                                 label_config(policy, TaskKind.BLIND), {})  # fmt: skip
    project = ensure_project(client, ledger.projects, policy, TaskKind.BLIND)
    assert project.project_id == made
    assert client.project(made).settings["sampling"] == "Sequential sampling"


def test_a_lost_answer_makes_no_second_one(client: StudioClient, wire: Wire, ledger: SqlLedger, policy: Policy) -> None:
    def lose(request: httpx.Request, pass_on: object) -> httpx.Response:
        response: httpx.Response = pass_on()  # type: ignore[operator]
        if request.method == "POST" and request.url.path == "/api/projects/":
            response.close()
            raise httpx.ReadError("cut")
        return response

    wire.fault = lose
    project = ensure_project(client, ledger.projects, policy, TaskKind.BLIND)
    assert ours(client, policy) == [project.project_id]


def test_another_installation_keeps_apart(client: StudioClient, ledger: SqlLedger, policy: Policy) -> None:
    mine = ensure_project(client, ledger.projects, policy, TaskKind.BLIND)
    ledger.projects.forget(mine.base_url, mine.project_id)
    other = ensure_project(client, ledger.projects, policy, TaskKind.BLIND, owner="elsewhere")
    assert other.project_id != mine.project_id


def test_an_edited_form_is_refused_and_put_back(client: StudioClient, ledger: SqlLedger, policy: Policy) -> None:
    project = ensure_project(client, ledger.projects, policy, TaskKind.BLIND)
    client.update_project(
        project.project_id, label_config=label_config(policy, TaskKind.BLIND).replace("$text", "$txt")
    )
    with pytest.raises(StudioRefused, match="was edited in Label Studio"):
        ensure_project(client, ledger.projects, policy, TaskKind.BLIND)
    with pytest.raises(StudioRefused, match="was edited"):
        check_project(client, project)
    assert ensure_project(client, ledger.projects, policy, TaskKind.BLIND, repair=True) == project
    check_project(client, project)


def test_changed_settings_are_put_back(client: StudioClient, ledger: SqlLedger, policy: Policy) -> None:
    project = ensure_project(client, ledger.projects, policy, TaskKind.BLIND)
    client.update_project(project.project_id, show_collab_predictions=True, sampling="Uniform sampling")
    ensure_project(client, ledger.projects, policy, TaskKind.BLIND, overlap=5)
    settings = client.project(project.project_id).settings
    assert {key: settings[key] for key in SETTINGS} == SETTINGS
    assert settings["maximum_annotations"] == 2  # changing it would rewrite every task's number


def test_a_deleted_project_is_made_anew_and_its_tasks_queued_again(
    client: StudioClient, ledger: SqlLedger, policy: Policy
) -> None:
    first = ensure_project(client, ledger.projects, policy, TaskKind.BLIND)
    tasks = make_tasks(ledger, policy, ["one", "two"])
    push_tasks(client, ledger.tasks, ledger.projects, first, tasks, "test")
    client.delete_project(first.project_id)
    with pytest.raises(StudioGone):
        push_tasks(client, ledger.tasks, ledger.projects, first, tasks, "test")
    second = ensure_project(client, ledger.projects, policy, TaskKind.BLIND)
    assert {task.state for task in ledger.tasks.find([t.task_id for t in tasks]).values()} == {TaskState.QUEUED}
    assert push_tasks(client, ledger.tasks, ledger.projects, second, tasks, "test").sent == 2


def test_a_number_given_to_another_project_is_not_ours(client: StudioClient, ledger: SqlLedger, policy: Policy) -> None:
    other = make_policy()
    theirs = client.create_project("Somebody's", "", label_config(other, TaskKind.BLIND), {})
    project = ensure_project(client, ledger.projects, policy, TaskKind.BLIND)
    with pytest.raises(StudioGone, match="not Goldfold's any more"):
        check_project(client, replace(project, project_id=theirs))
    client.delete_project(project.project_id)  # the newest: SQLite gives its number to the next
    again = ensure_project(client, ledger.projects, other, TaskKind.BLIND)
    assert ledger.projects.find(client.base_url, other.id, other.version, TaskKind.BLIND) == again
    remade = ensure_project(client, ledger.projects, policy, TaskKind.BLIND)
    assert remade.project_id != again.project_id


@pytest.mark.parametrize("title", ["x", "y" * 200, "<b>&"])
def test_any_title_fits(client: StudioClient, ledger: SqlLedger, title: str) -> None:
    ensure_project(client, ledger.projects, make_policy(title=title, version="10.20.30"), TaskKind.ADJUDICATION)
