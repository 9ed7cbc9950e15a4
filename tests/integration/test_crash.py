"""Kill -9 at every step of a round and of a sync, start again: same picks, no task twice, no answer lost."""

from __future__ import annotations

import json
import multiprocessing
import signal
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from configs.settings import PACKAGED_POLICIES
from labeling.ingest import ingest
from labeling.policies import read_policies
from labeling.records import Answer, Outcome, PickRow, Task, TaskKind, TaskState
from labeling.store.lake import LanceLake
from labeling.store.ledger import SqlLedger, open_ledger
from labeling.studio.embedded import EmbeddedStudio
from labeling.studio.label_config import build_result
from tests.integration.crash_child import BUDGET, POINTS, run_child

pytestmark = [pytest.mark.studio, pytest.mark.slow]

ROUND_POINTS = list(POINTS)[: list(POINTS).index("opened") + 1]
SYNC_POINTS = list(POINTS)[len(ROUND_POINTS) :]
HARMS = ("hate_speech", "violence")
CHILD_TIMEOUT_S = 180
FORKSERVER = multiprocessing.get_context("forkserver")  # imports once, then each process starts at once
FORKSERVER.set_forkserver_preload(["tests.integration.crash_child", "api.scorers"])


@dataclass(frozen=True)
class Ended:
    """How a process ended, its job's result, and what it printed."""

    returncode: int | None
    result: dict[str, Any]
    printed: str


@dataclass(frozen=True)
class Site:
    """One installation: its folder, and the environment of its processes."""

    folder: Path
    environment: dict[str, str]

    def run(self, kind: str, job_id: str, point: str = "") -> Ended:
        """Run a goldfold process to its end, or to its death at ``point``."""
        result = self.folder / f"result-{job_id}.json"
        result.unlink(missing_ok=True)
        log = self.folder / "child.log"
        process = FORKSERVER.Process(
            target=run_child, args=(self.environment, str(log), str(result), kind, job_id, point)
        )
        process.start()
        process.join(CHILD_TIMEOUT_S)
        if process.exitcode is None:
            process.kill()
            process.join()
            pytest.fail(f"{kind} {job_id} did not end in {CHILD_TIMEOUT_S} s: {log.read_text()}")
        said = json.loads(result.read_text()) if result.exists() else {}
        return Ended(process.exitcode, said, log.read_text())

    def ledger(self) -> SqlLedger:
        return open_ledger(f"sqlite:///{self.folder}/ledger.db")


def new_site(folder: Path, server: EmbeddedStudio, owner: str) -> Site:
    """An installation with forty items, and two policies of the packaged ones."""
    policies = folder / "policies"
    policies.mkdir(parents=True)
    for harm in HARMS:
        (policies / f"{harm}.yaml").write_text((PACKAGED_POLICIES / f"{harm}.yaml").read_text())
    site = Site(
        folder,
        {
            "GOLDFOLD_DATA_DIR": str(folder),
            "GOLDFOLD_POLICIES_DIR": str(policies),
            "GOLDFOLD_STUDIO_URL": server.base_url,
            "GOLDFOLD_STUDIO_TOKEN": server.account.token,
            "GOLDFOLD_STUDIO_OWNER": owner,
            "GOLDFOLD_STUDIO_SETTLE_S": "2",
        },
    )
    ledger = site.ledger()
    rows = [{"external_id": f"post-{n}", "text": f"post number {n} about topic {n % 7} and {n * n}"} for n in range(40)]
    ingest(
        rows,
        LanceLake(folder / "lake"),
        ledger.items,
        lock_path=folder / "ingest.lock",
        max_text_chars=1000,
        policies=read_policies(policies).keys(),
    )
    ledger.close()
    return site


def picks_of(site: Site, round_id: str) -> list[PickRow]:
    ledger = site.ledger()
    found = sorted(ledger.rounds.picks(round_id), key=lambda p: (p.item_id, p.policy_id))
    ledger.close()
    return found


def tasks_of(site: Site, kind: TaskKind) -> list[Task]:
    ledger = site.ledger()
    found = ledger.tasks.where(kind=kind)
    ledger.close()
    return found


def tasks_in_studio(site: Site, server: EmbeddedStudio) -> Counter[str]:
    """Goldfold's task ids in every project that carries this site's name, with how often each is there."""
    owner = site.environment["GOLDFOLD_STUDIO_OWNER"]
    found: Counter[str] = Counter()
    with server.client() as client:
        for project in client.projects():
            if project.description.endswith(f":{owner}"):
                for page in client.pages(project.project_id, None):
                    found.update(str(task.data["task_id"]) for task in page)
    return found


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory, studio_server: EmbeddedStudio) -> list[PickRow]:
    """The picks of a round that nobody disturbs."""
    site = new_site(tmp_path_factory.mktemp("undisturbed"), studio_server, "undisturbed")
    done = site.run("round", "r-1")
    assert done.returncode == 0, done.printed
    return picks_of(site, "r-1")


@pytest.mark.parametrize("point", ROUND_POINTS)
def test_a_round_survives(point: str, reference: list[PickRow], tmp_path: Path, studio_server: EmbeddedStudio) -> None:
    site = new_site(tmp_path / "site", studio_server, f"round-{ROUND_POINTS.index(point)}")
    killed = site.run("round", "r-1", point)
    assert killed.returncode == -signal.SIGKILL, f"not killed at {point!r}: {killed.printed}"
    again = site.run("round", "r-1")
    assert again.returncode == 0, again.printed
    assert picks_of(site, "r-1") == reference
    tasks = tasks_of(site, TaskKind.BLIND)
    assert len(tasks) == BUDGET
    assert {task.state for task in tasks} == {TaskState.SENT}
    assert tasks_in_studio(site, studio_server) == Counter(task.task_id for task in tasks)


@dataclass(frozen=True)
class Labelled:
    """A site whose round is open, and what people answered there: (task id, person) -> outcome."""

    site: Site
    given: dict[tuple[str, str], str]


@pytest.fixture
def labelled(
    tmp_path: Path, studio_server: EmbeddedStudio, annotators: dict[str, str], request: pytest.FixtureRequest
) -> Labelled:
    owner = f"sync-{SYNC_POINTS.index(request.node.callspec.params['point'])}"
    site = new_site(tmp_path / "site", studio_server, owner)
    assert site.run("round", "r-1").returncode == 0
    first, second = list(annotators.items())[:2]
    given = {}
    for number, task in enumerate(tasks_of(site, TaskKind.BLIND)):
        for turn, (email, token) in enumerate((first, second)):
            violates = number % 3 == 0 or (number % 3 == 1 and turn == 0)  # a third agree on each, a third disagree
            post_answer(studio_server, task, token, violates=violates)
            given[task.task_id, email] = "violates" if violates else "allowed"
    return Labelled(site, given)


def post_answer(server: EmbeddedStudio, task: Task, token: str, *, violates: bool) -> None:
    answer = Answer(Outcome.VIOLATES, "general", 2) if violates else Answer(Outcome.ALLOWED)
    httpx.post(
        f"{server.base_url}/api/tasks/{task.studio_task_id}/annotations/",
        headers={"Authorization": f"Token {token}"},
        json={"result": build_result(answer)},
        timeout=60,
    ).raise_for_status()


@pytest.mark.parametrize("point", SYNC_POINTS)
def test_a_sync_survives(point: str, labelled: Labelled, studio_server: EmbeddedStudio) -> None:
    site = labelled.site
    killed = site.run("sync", "s-1", point)
    assert killed.returncode == -signal.SIGKILL, f"not killed at {point!r}: {killed.printed}"
    again = site.run("sync", "s-1")
    assert again.returncode == 0, again.printed
    once_more = site.run("sync", "s-2").result
    assert (once_more["events"], once_more["settled"], once_more["disputed"]) == (0, 0, 0)

    ledger = site.ledger()
    tasks = ledger.tasks.where(kind=TaskKind.BLIND)
    answers = ledger.annotations.current([task.task_id for task in tasks])
    found = {(a.task_id, a.annotator): str(a.answer.outcome) for live in answers.values() for a in live}
    gold, disputes = ledger.golden.items(), ledger.tasks.where(kind=TaskKind.ADJUDICATION)
    events = ledger.annotations.count()
    ledger.close()
    assert found == labelled.given
    assert events == len(labelled.given)
    assert len(gold) == 2 * BUDGET // 3
    assert len(disputes) == BUDGET // 3
    assert {task.state for task in disputes} == {TaskState.SENT}
    assert tasks_in_studio(site, studio_server) == Counter(task.task_id for task in (*tasks, *disputes))
