from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

import httpx
import pytest

from labeling.errors import StudioGone, StudioRefused
from labeling.policies import Policy
from labeling.records import StudioProject, Task, TaskKind, TaskState
from labeling.store.ledger import SqlLedger
from labeling.studio.client import StudioClient
from labeling.studio.embedded import EmbeddedStudio
from labeling.studio.label_config import build_result, label_config
from labeling.studio.payload import task_data
from labeling.studio.projects import ensure_project
from labeling.studio.pull import PullReport, pull_project
from labeling.studio.push import push_tasks
from labeling.studio.wire import StudioTask
from tests.labeling.studio.build import ALLOWED, VIOLATES, make_policy, make_tasks

pytestmark = pytest.mark.studio
TEXTS = ["first", "second", "third"]
Pull = Callable[..., PullReport]


@pytest.fixture
def project(client: StudioClient, ledger: SqlLedger, policy: Policy) -> StudioProject:
    return ensure_project(client, ledger.projects, policy, TaskKind.BLIND)


@pytest.fixture
def tasks(client: StudioClient, ledger: SqlLedger, policy: Policy, project: StudioProject) -> list[Task]:
    made = make_tasks(ledger, policy, TEXTS)
    push_tasks(client, ledger.tasks, ledger.projects, project, made, "test")
    return [ledger.tasks.get(task.task_id) for task in made]


@pytest.fixture
def pull(client: StudioClient, ledger: SqlLedger, policy: Policy, project: StudioProject) -> Pull:
    def run(*, full: bool = False) -> PullReport:
        known = ledger.projects.find(project.base_url, policy.id, policy.version, TaskKind.BLIND)
        assert known is not None
        return pull_project(client, ledger, known, policy, full=full)

    return run


@pytest.fixture
def raw(studio_server: EmbeddedStudio) -> httpx.Client:
    """What any member may do by hand."""
    headers = {"Authorization": f"Token {studio_server.account.token}"}
    return httpx.Client(base_url=studio_server.base_url, headers=headers, trust_env=False)


def there(client: StudioClient, project: StudioProject) -> list[StudioTask]:
    return [task for page in client.pages(project.project_id) for task in page]


def kinds(ledger: SqlLedger, task: Task) -> list[str]:
    return [event.kind.value for event in ledger.annotations.events(task.task_id)]


def number(task: Task) -> int:
    assert task.studio_task_id is not None
    return task.studio_task_id


def test_answers_arrive_once(
    ledger: SqlLedger, tasks: Sequence[Task], pull: Pull, people: Callable[[int], StudioClient]
) -> None:
    people(0).annotate(number(tasks[0]), build_result(VIOLATES), 4.5)
    people(1).annotate(number(tasks[0]), build_result(ALLOWED))
    report = pull()
    assert (report.tasks, report.events, report.created, report.unknown) == (3, 2, 2, ())
    for full in (False, True, False):
        assert pull(full=full).events == 0
    [first, second] = ledger.annotations.current([tasks[0].task_id])[tasks[0].task_id]
    assert (first.answer, first.annotator, first.lead_time_s) == (VIOLATES, "annotator-1@goldfold.example", 4.5)
    assert (second.answer, second.annotator) == (ALLOWED, "annotator-2@goldfold.example")
    assert second.updated_by == second.annotator


def test_edits_skips_deletions_and_junk_become_events(
    ledger: SqlLedger, tasks: Sequence[Task], pull: Pull, people: Callable[[int], StudioClient], raw: httpx.Client
) -> None:
    with raw:
        edited, dropped, junk = [people(n).annotate(number(t), build_result(ALLOWED)) for n, t in enumerate(tasks)]
        pull()
        raw.patch(f"/api/annotations/{edited}/", json={"result": build_result(VIOLATES)}).raise_for_status()
        raw.delete(f"/api/annotations/{dropped}/").raise_for_status()
        raw.patch(f"/api/annotations/{junk}/", json={"result": [{"from_name": "spam"}]}).raise_for_status()
        skip = {"result": [], "was_cancelled": True}
        raw.post(f"/api/tasks/{number(tasks[1])}/annotations/", json=skip).raise_for_status()
        report = pull()
        assert (report.updated, report.deleted, report.invalid, report.skipped) == (1, 1, 1, 1)
        assert kinds(ledger, tasks[0]) == ["created", "updated"]
        assert sorted(kinds(ledger, tasks[1])) == ["created", "deleted", "skipped"]
        assert kinds(ledger, tasks[2]) == ["created", "invalid"]
        current = ledger.annotations.current([task.task_id for task in tasks])
        assert [[each.answer for each in current[task.task_id]] for task in tasks] == [[VIOLATES], [], []]
        raw.patch(f"/api/annotations/{junk}/", json={"result": build_result(ALLOWED)}).raise_for_status()
        assert pull().updated == 1
        assert pull(full=True).events == 0


def test_a_deleted_task_is_queued_again_by_the_full_pull(
    client: StudioClient,
    ledger: SqlLedger,
    project: StudioProject,
    tasks: Sequence[Task],
    pull: Pull,
    people: Callable[[int], StudioClient],
) -> None:
    people(0).annotate(number(tasks[2]), build_result(ALLOWED))
    pull()
    client.delete_task(number(tasks[2]))
    assert pull().requeued == 0  # it just vanished: nothing changed after the last pull
    report = pull(full=True)
    assert (report.requeued, report.deleted, report.found) == (1, 0, {"task deleted": 1})
    assert ledger.tasks.get(tasks[2].task_id).state is TaskState.QUEUED
    assert pull(full=True).requeued == 0
    push_tasks(client, ledger.tasks, ledger.projects, project, tasks, "test", answered={tasks[2].task_id: 1})
    anew = number(ledger.tasks.get(tasks[2].task_id))
    assert {task.studio_task_id: task.overlap for task in there(client, project)}[anew] == 1
    people(1).annotate(anew, build_result(VIOLATES))
    for full in (False, True):
        pull(full=full)
    answers = ledger.annotations.current([tasks[2].task_id])[tasks[2].task_id]
    assert [each.answer for each in answers] == [ALLOWED, VIOLATES]


def test_who_answers_again_on_a_new_screen_takes_up_nobodys_place(
    client: StudioClient,
    ledger: SqlLedger,
    project: StudioProject,
    tasks: Sequence[Task],
    pull: Pull,
    people: Callable[[int], StudioClient],
    raw: httpx.Client,
) -> None:
    people(0).annotate(number(tasks[2]), build_result(ALLOWED))
    pull()
    client.delete_task(number(tasks[2]))
    pull(full=True)
    push_tasks(client, ledger.tasks, ledger.projects, project, tasks, "test", answered={tasks[2].task_id: 1})
    anew = number(ledger.tasks.get(tasks[2].task_id))
    people(0).annotate(anew, build_result(VIOLATES))  # the free edition cannot keep them from it
    assert {task.studio_task_id: task.closed for task in there(client, project)}[anew]
    assert pull().found == {"closed too early": 1}
    shown = {task.studio_task_id: task for task in there(client, project)}[anew]
    assert (shown.overlap, shown.closed, len(shown.annotations)) == (2, False, 1)
    [mine] = ledger.annotations.current([tasks[2].task_id])[tasks[2].task_id]
    assert mine.answer == VIOLATES
    people(1).annotate(anew, build_result(VIOLATES))
    assert pull(full=True).found == {}
    assert len(ledger.annotations.current([tasks[2].task_id])[tasks[2].task_id]) == 2


def test_edited_content_is_quarantined(
    ledger: SqlLedger, tasks: Sequence[Task], pull: Pull, people: Callable[[int], StudioClient], raw: httpx.Client
) -> None:
    with raw:
        data = task_data(tasks[0]) | {"text": "something else"}
        raw.patch(f"/api/tasks/{number(tasks[0])}/", json={"data": data}).raise_for_status()
    people(0).annotate(number(tasks[0]), build_result(ALLOWED))
    report = pull()
    assert (report.quarantined, report.invalid, report.created) == (1, 1, 0)
    kept = ledger.tasks.get(tasks[0].task_id)
    assert (kept.state, kept.error) == (
        TaskState.QUARANTINED,
        "data.text is not what was sent: it was edited in Label Studio",
    )
    assert (pull().quarantined, pull(full=True).events) == (0, 0)


def test_strangers_are_reported_and_left_alone(
    client: StudioClient, project: StudioProject, tasks: Sequence[Task], pull: Pull
) -> None:
    made = client.import_tasks(project.project_id, [{"text": "by hand"}, {"text": "x", "task_id": "nobody's"}])
    assert sorted(pull(full=True).unknown) == sorted(made)
    assert len(client.find_tasks(project.project_id, ["nobody's"])) == 1


def test_answers_on_a_twin_count_and_moving_them_loses_none(
    client: StudioClient,
    ledger: SqlLedger,
    project: StudioProject,
    tasks: Sequence[Task],
    pull: Pull,
    people: Callable[[int], StudioClient],
    raw: httpx.Client,
) -> None:
    people(0).annotate(number(tasks[0]), build_result(ALLOWED))
    [twin] = client.import_tasks(project.project_id, [task_data(tasks[0])])
    people(1).annotate(twin, build_result(ALLOWED))
    assert pull().created == 2
    with raw:
        params: dict[str, str | int] = {"id": "remove_duplicates", "project": project.project_id}
        raw.post("/api/dm/actions", params=params, json={"selectedItems": {"all": True, "excluded": []}})
    pull(full=True)
    assert len(client.find_tasks(project.project_id, [tasks[0].task_id])) == 1
    current = ledger.annotations.current([tasks[0].task_id])[tasks[0].task_id]
    assert [each.annotator[:11] for each in current] == ["annotator-1", "annotator-2"]


def test_a_task_whose_number_was_lost_is_found(
    client: StudioClient, ledger: SqlLedger, policy: Policy, project: StudioProject, pull: Pull
) -> None:
    """Killed between the POST and the ledger's ``sent``; the pull comes before the next push."""
    [task] = make_tasks(ledger, policy, ["in between"])
    ledger.tasks.mark_sending([task.task_id], project.project_id)
    [made] = client.import_tasks(project.project_id, [task_data(task)])
    pull()
    now = ledger.tasks.get(task.task_id)
    assert (now.state, now.studio_task_id) == (TaskState.SENT, made)


def test_answers_to_another_form_are_not_read(
    client: StudioClient, policy: Policy, project: StudioProject, pull: Pull
) -> None:
    config = label_config(policy, TaskKind.BLIND)
    client.update_project(project.project_id, label_config=config.replace('value="allowed"', 'value="fine"'))
    with pytest.raises(StudioRefused, match="was edited"):
        pull()
    client.delete_project(project.project_id)
    with pytest.raises(StudioGone):
        pull()


def test_how_many_people_are_asked_is_restored(
    client: StudioClient, project: StudioProject, tasks: Sequence[Task], pull: Pull
) -> None:
    client.update_project(project.project_id, maximum_annotations=7)
    pull(full=True)
    found = client.find_tasks(project.project_id, [task.task_id for task in tasks])
    assert [task.overlap for task in found] == [2, 2, 2]
    assert pull().events == 0


def test_a_clock_that_went_back_hides_nothing(
    client: StudioClient,
    ledger: SqlLedger,
    project: StudioProject,
    tasks: Sequence[Task],
    pull: Pull,
    people: Callable[[int], StudioClient],
) -> None:
    people(0).annotate(number(tasks[0]), build_result(ALLOWED))
    ledger.projects.set_watermark(project.base_url, project.project_id, client.clock() + timedelta(hours=1))
    report = pull()
    assert (report.created, report.found) == (1, {"clock went back": 1})
    assert pull().found == {}


def test_a_newer_policy_does_not_void_answers_to_the_older_form(
    client: StudioClient, ledger: SqlLedger, policy: Policy, project: StudioProject, tasks: Sequence[Task]
) -> None:
    client.annotate(number(tasks[0]), build_result(VIOLATES))
    newer = make_policy("2.0.0", id=policy.id, rules=[{"id": "lies", "title": "Lies", "definition": "Untrue."}])
    report = pull_project(client, ledger, project, newer)
    assert (report.created, report.invalid) == (1, 0)
