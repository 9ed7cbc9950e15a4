"""Three people on a roster and a real Label Studio: everybody sees an item once, two answer each question, a dispute
goes to the third, and a process that dies between handing out and sending leaves nothing doubled."""

from __future__ import annotations

import signal
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import httpx
import pytest

from configs.settings import PACKAGED_POLICIES
from labeling.policies import read_policies
from labeling.records import Answer, How, Outcome, Task, TaskKind, TaskState
from labeling.roster import add_person
from labeling.studio.embedded import EmbeddedStudio
from labeling.studio.label_config import build_result
from tests.integration.crash_child import BUDGET
from tests.integration.test_crash import Site, new_site, tasks_of

pytestmark = [pytest.mark.studio, pytest.mark.slow]

YES, NO = Answer(Outcome.VIOLATES, "general", 2), Answer(Outcome.ALLOWED)


@pytest.fixture
def site(tmp_path: Path, studio_server: EmbeddedStudio, annotators: dict[str, str]) -> Site:
    made = new_site(tmp_path / "site", studio_server, "desks")
    ledger = made.ledger()
    policies = read_policies(PACKAGED_POLICIES)
    for email in annotators:
        add_person(ledger.people, policies, "test", email, {})
    ledger.close()
    return made


def shown(server: EmbeddedStudio, email: str, token: str, site: Site) -> list[dict[str, Any]]:
    """What lies on a person's desk, read with their own token, in the order in which Label Studio shows it."""
    ledger = site.ledger()
    desk = ledger.people.get(email).desk
    ledger.close()
    found: list[dict[str, Any]] = []
    with httpx.Client(base_url=server.base_url, headers={"Authorization": f"Token {token}"}, timeout=60) as http:
        projects = http.get("/api/projects/", params={"page_size": 500}).json()["results"]
        for project in sorted(projects, key=lambda row: row["id"]):
            if project["description"].endswith(f":desk-{desk}:desks"):
                assert project["title"].endswith(f"desk {desk}")
                assert email not in project["title"] + project["description"]
                page = http.get("/api/tasks/", params={"project": project["id"], "page_size": 500, "fields": "all"})
                found += sorted(page.json()["tasks"], key=lambda row: row["id"])
    return found


def answer(server: EmbeddedStudio, token: str, studio_task_id: int, given: Answer) -> None:
    httpx.post(
        f"{server.base_url}/api/tasks/{studio_task_id}/annotations/",
        headers={"Authorization": f"Token {token}"},
        json={"result": build_result(given)},
        timeout=60,
    ).raise_for_status()


def state_of(site: Site) -> tuple[list[Task], list[Task]]:
    """The questions and their copies."""
    return tasks_of(site, TaskKind.BLIND), tasks_of(site, TaskKind.COPY)


def test_three_people_and_a_dispute(site: Site, studio_server: EmbeddedStudio, annotators: dict[str, str]) -> None:
    killed = site.run("round", "r-1", "before sending")  # handed out, nothing sent
    assert killed.returncode == -signal.SIGKILL, killed.printed
    roots, before = state_of(site)
    assert (len(roots), len(before)) == (BUDGET, 2 * BUDGET)
    again = site.run("round", "r-1")
    assert again.returncode == 0, again.printed
    roots, copies = state_of(site)
    assert sorted(copy.task_id for copy in copies) == sorted(copy.task_id for copy in before)
    assert {task.state for task in (*roots, *copies)} == {TaskState.SENT}
    assert {root.project_id for root in roots} == {None}

    desks = {email: shown(studio_server, email, token, site) for email, token in annotators.items()}
    ids = Counter(task["data"]["task_id"] for tasks in desks.values() for task in tasks)
    assert ids == Counter(copy.task_id for copy in copies)  # each once, and the questions themselves nowhere
    for email, tasks in desks.items():
        texts = [task["data"]["text"] for task in tasks]
        mine = sorted((copy.policy_id, copy.position, copy.task_id) for copy in copies if copy.assignee == email)
        assert len(texts) == len(set(zip(texts, (task["project"] for task in tasks), strict=True))) == len(mine)
        assert [task["data"]["task_id"] for task in tasks] == [task_id for _, _, task_id in mine]
        assert all(set(task["data"]) == {"text", "task_id"} and not task["predictions"] for task in tasks)

    by_root: dict[str, list[Task]] = defaultdict(list)
    for copy in copies:
        by_root[str(copy.parent_task_id)].append(copy)
    disputed = sorted(by_root)[0]
    for root, pair in by_root.items():
        for number, copy in enumerate(pair):
            given = YES if root == disputed and number else NO
            answer(studio_server, annotators[copy.assignee], int(copy.studio_task_id or 0), given)
    synced = site.run("sync", "s-1").result
    assert (synced["settled"], synced["widened"], synced["disputed"], synced["sent"]) == (BUDGET - 1, 1, 0, 1)

    (third,) = [copy for copy in state_of(site)[1] if copy.state is TaskState.SENT and copy not in by_root[disputed]
                and copy.task_id not in {c.task_id for c in copies}]  # fmt: skip
    assert third.parent_task_id == disputed
    assert third.assignee not in {copy.assignee for copy in by_root[disputed]}
    other = by_root[disputed][0].assignee
    answer(studio_server, annotators[other], int(third.studio_task_id or 0), YES)  # opened the third one's desk
    refused = site.run("sync", "s-2").result
    assert (refused["settled"], len(refused["refused"])) == (0, 1)
    answer(studio_server, annotators[third.assignee], int(third.studio_task_id or 0), YES)
    done = site.run("sync", "s-3").result
    assert (done["settled"], done["closed"]) == (1, ["r-1"])

    ledger = site.ledger()
    finals = {final.task_id: final for final in ledger.golden.adjudications()}
    ledger.close()
    assert len(finals) == BUDGET
    assert (finals[disputed].how, finals[disputed].answer.outcome) == (How.CONSENSUS, Outcome.VIOLATES)
    assert all(final.how is How.UNANIMOUS for task_id, final in finals.items() if task_id != disputed)
    assert {task.state for task in (*state_of(site)[0], *state_of(site)[1])} == {TaskState.SETTLED}
