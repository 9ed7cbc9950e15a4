from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from labeling.errors import Conflict, InvalidInput, StudioRefused, StudioUnreachable
from labeling.policies import Policy
from labeling.records import StudioProject, Task, TaskKind, TaskState
from labeling.store.ledger import SqlLedger
from labeling.studio.client import StudioClient
from labeling.studio.label_config import build_result
from labeling.studio.payload import task_data
from labeling.studio.projects import ensure_project
from labeling.studio.push import PushReport, push_tasks
from tests.labeling.studio.build import ALLOWED, Wire, answer_instead, lose_answers, make_policy, make_tasks

pytestmark = pytest.mark.studio


@pytest.fixture
def project(client: StudioClient, ledger: SqlLedger, policy: Policy) -> StudioProject:
    return ensure_project(client, ledger.projects, policy, TaskKind.BLIND)


@pytest.fixture
def push(client: StudioClient, ledger: SqlLedger, project: StudioProject) -> Callable[[Sequence[Task]], PushReport]:
    return lambda tasks: push_tasks(client, ledger.tasks, ledger.projects, project, tasks, "test")


def there(client: StudioClient, project: StudioProject) -> Counter[str]:
    return Counter(task.task_id for page in client.pages(project.project_id) for task in page)


def states(ledger: SqlLedger, tasks: Sequence[Task]) -> set[TaskState]:
    return {task.state for task in ledger.tasks.find([task.task_id for task in tasks]).values()}


Push = Callable[[Sequence[Task]], PushReport]


def test_each_task_once_however_often(
    client: StudioClient, ledger: SqlLedger, policy: Policy, project: StudioProject, push: Push
) -> None:
    tasks = make_tasks(ledger, policy, [f"text {n} $text" for n in range(230)])
    steps: list[tuple[int, int]] = []
    report = push_tasks(
        client, ledger.tasks, ledger.projects, project, tasks, "test", lambda done, of: steps.append((done, of))
    )
    assert (report.sent, report.found, steps) == (230, 0, [(100, 230), (200, 230), (230, 230)])
    assert states(ledger, tasks) == {TaskState.SENT}
    numbers = {task.task_id: task.studio_task_id for page in client.pages(project.project_id) for task in page}
    assert numbers == {t.task_id: t.studio_task_id for t in ledger.tasks.where(project_id=project.project_id)}
    assert (push(tasks).sent, push(tasks).found) == (0, 0)
    ledger.tasks.requeue([task.task_id for task in tasks[:5]])  # the ledger forgets, the server does not
    assert (push(tasks).found, there(client, project)) == (5, Counter(task.task_id for task in tasks))


@pytest.mark.parametrize("times", [1, 2])
def test_lost_answers_make_no_twins(
    client: StudioClient,
    wire: Wire,
    ledger: SqlLedger,
    policy: Policy,
    project: StudioProject,
    push: Push,
    times: int,
) -> None:
    tasks = make_tasks(ledger, policy, [f"text {n}" for n in range(130)])
    wire.fault = lose_answers(times)
    report = push(tasks)
    assert there(client, project) == Counter(task.task_id for task in tasks)
    assert report.sent + report.found == 130
    assert states(ledger, tasks) == {TaskState.SENT}
    assert wire.posts == 2


@pytest.mark.parametrize("status", [429, 500, 502])
def test_a_server_in_trouble_gets_another_chance(
    client: StudioClient, wire: Wire, ledger: SqlLedger, policy: Policy, project: StudioProject, push: Push, status: int
) -> None:
    tasks = make_tasks(ledger, policy, ["one", "two"])
    wire.fault = answer_instead(status, lambda _: True, times=1)
    push(tasks)
    assert there(client, project) == Counter(task.task_id for task in tasks)


@pytest.mark.parametrize("status", [400, 500, 502])
def test_a_server_that_stays_in_trouble_loses_nothing(
    client: StudioClient, wire: Wire, ledger: SqlLedger, policy: Policy, project: StudioProject, push: Push, status: int
) -> None:
    tasks = make_tasks(ledger, policy, [f"text {n}" for n in range(12)])
    wire.fault = answer_instead(status, lambda _: True)
    with pytest.raises(StudioRefused if status == 400 else StudioUnreachable):
        push(tasks)
    assert states(ledger, tasks) == {TaskState.SENDING}
    assert not there(client, project)
    wire.fault = None
    assert push(tasks).sent == 12
    assert states(ledger, tasks) == {TaskState.SENT}


@pytest.mark.parametrize("status", [400, 500])
def test_a_poison_task_is_found_and_blocks_nobody(
    wire: Wire, ledger: SqlLedger, policy: Policy, push: Push, status: int
) -> None:
    tasks = make_tasks(ledger, policy, [f"text {n}" for n in range(19)] + ["POISON"])
    wire.fault = answer_instead(status, lambda body: b"POISON" in body)
    report = push(tasks)
    poison = tasks[-1].task_id
    assert (report.sent, list(report.quarantined)) == (19, [poison])
    assert "no such luck" in report.quarantined[poison]
    kept = ledger.tasks.get(poison)
    assert (kept.state, kept.error) == (TaskState.QUARANTINED, report.quarantined[poison])


def test_what_databases_refuse_is_cleaned(
    client: StudioClient, ledger: SqlLedger, policy: Policy, project: StudioProject, push: Push
) -> None:
    [task] = make_tasks(ledger, policy, ["nul \x00 and <b>&amp; 🎉"])
    push([task])
    [found] = client.find_tasks(project.project_id, [task.task_id])
    assert found.data["text"] == "nul \ufffd and <b>&amp; 🎉"


def test_an_earlier_post_may_still_be_running(
    client: StudioClient, wire: Wire, ledger: SqlLedger, policy: Policy, project: StudioProject, push: Push
) -> None:
    """A killed writer left ``sending``; its POST is carried out while the next writer is looking."""
    tasks = make_tasks(ledger, policy, ["late"])
    ledger.tasks.mark_sending([tasks[0].task_id], project.project_id)
    naps: list[float] = []

    def nap(seconds: float) -> None:
        if not naps:
            client.import_tasks(project.project_id, [task_data(tasks[0])])
        naps.append(seconds)

    report = push_tasks(client, ledger.tasks, ledger.projects, project, tasks, "test", sleep=nap)
    assert (report.sent, report.found, len(naps)) == (0, 1, 1)
    assert there(client, project) == Counter([tasks[0].task_id])


def test_two_writers_take_turns(
    client: StudioClient, ledger: SqlLedger, policy: Policy, project: StudioProject, push: Push
) -> None:
    tasks = make_tasks(ledger, policy, ["one", "two"])

    def meanwhile(_done: int, _all: int) -> None:
        with pytest.raises(Conflict, match="being filled by another process"):
            push_tasks(client, ledger.tasks, ledger.projects, project, tasks, "other")

    assert push_tasks(client, ledger.tasks, ledger.projects, project, tasks, "test", meanwhile).sent == 2
    assert push_tasks(client, ledger.tasks, ledger.projects, project, tasks, "other").sent == 0
    assert there(client, project) == Counter(task.task_id for task in tasks)


def test_twins_go_unless_somebody_worked_on_them(
    client: StudioClient,
    ledger: SqlLedger,
    policy: Policy,
    project: StudioProject,
    push: Push,
    people: Callable[[int], StudioClient],
) -> None:
    plain, worked = make_tasks(ledger, policy, ["plain", "worked"])
    for _ in range(3):
        client.import_tasks(project.project_id, [task_data(plain), task_data(worked)])
    second = client.find_tasks(project.project_id, [worked.task_id])[1].studio_task_id
    people(0).annotate(second, build_result(ALLOWED))
    report = push([plain, worked])
    assert (report.sent, report.found, report.removed) == (0, 2, 4)
    assert there(client, project) == Counter([plain.task_id, worked.task_id])
    assert ledger.tasks.get(worked.task_id).studio_task_id == second


def test_a_task_may_ask_for_more_people(
    client: StudioClient, ledger: SqlLedger, policy: Policy, project: StudioProject, push: Push
) -> None:
    tasks = make_tasks(ledger, policy, ["five"], overlap=5) + make_tasks(ledger, policy, ["two"])
    push(tasks)
    found = {task.task_id: task.overlap for task in client.find_tasks(project.project_id, [t.task_id for t in tasks])}
    assert found == {tasks[0].task_id: 5, tasks[1].task_id: 2}


def test_tasks_of_another_policy_or_project_are_refused(
    ledger: SqlLedger, policy: Policy, project: StudioProject, push: Push
) -> None:
    with pytest.raises(InvalidInput, match="does not belong in project"):
        push(make_tasks(ledger, make_policy(), ["stray"]))
    [task] = make_tasks(ledger, policy, ["elsewhere"])
    ledger.tasks.mark_sending([task.task_id], project.project_id + 1000)
    with pytest.raises(Conflict, match="on its way to project"):
        push([task])


def test_tasks_that_need_no_sending_are_left_alone(ledger: SqlLedger, policy: Policy, push: Push) -> None:
    tasks = make_tasks(ledger, policy, ["withdrawn", "unknown"])
    ledger.tasks.set_state([tasks[0].task_id], TaskState.WITHDRAWN)
    assert push([tasks[0], replace(tasks[1], task_id="nobody's")]) == PushReport()
