"""200 random faults over 2,000 tasks: answers lost, cut short or late, 502 after the work was done, refusals, and
kill -9 of the writer and of Label Studio. None lost, none doubled, none brought back."""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from benchmarks._faults import FaultyProxy
from labeling.policies import Policy
from labeling.records import StudioProject, Task, TaskKind, TaskState
from labeling.store.ledger import SqlLedger, open_ledger
from labeling.studio.accounts import create_account
from labeling.studio.client import StudioClient
from labeling.studio.embedded import EmbeddedStudio
from labeling.studio.label_config import build_result
from labeling.studio.projects import ensure_project
from tests.labeling.studio.build import VIOLATES, make_policy, make_tasks
from tests.studio_server import PASSWORD, new_data_dir, studio_venv

pytestmark = [pytest.mark.studio, pytest.mark.slow, pytest.mark.timeout(900)]

TASKS = 2000
FAULTS = 200
WRITER_KILLS, SERVER_KILLS = 5, 2
LATE_S, SETTLE_S = 0.5, 2.5
ANSWERED = 60
SEED = 20261126


@pytest.fixture
def server() -> Iterator[EmbeddedStudio]:
    """A Label Studio of its own, since it is killed."""
    venv = studio_venv()
    with EmbeddedStudio(venv, new_data_dir(venv)) as made:
        yield made


class Chaos:
    """The writer, which is a process of its own, behind a proxy; and people, who reach the server directly."""

    def __init__(self, folder: Path, server: EmbeddedStudio, proxy: FaultyProxy, ledger: SqlLedger) -> None:
        self.ledger = ledger
        self.policy: Policy = make_policy()
        self._folder, self._server, self._proxy = folder, server, proxy
        with self.client() as client:
            self.project: StudioProject = ensure_project(client, ledger.projects, self.policy, TaskKind.BLIND)
        token = server.account.token
        self._people = [create_account(server.base_url, token, f"p{n}@goldfold.example", PASSWORD) for n in (1, 2)]

    def client(self) -> StudioClient:
        return StudioClient(self._proxy.address, self._server.account.token, 60.0, settle_s=SETTLE_S)

    def write(self, *, full: bool = False) -> subprocess.Popen[bytes]:
        """Start the writer."""
        given = {
            "ledger": f"sqlite:///{self._folder / 'ledger.db'}",
            "address": self._proxy.address,
            "token": self._server.account.token,
            "policy": self.policy.model_dump(mode="json"),
            "settle_s": SETTLE_S,
            "full": full,
        }
        with (self._folder / "writer.log").open("ab") as log:
            command = [sys.executable, "-m", "tests.integration.chaos_child", json.dumps(given)]
            return subprocess.Popen(command, stderr=log, stdout=log)

    def finish(self, *, full: bool = False) -> None:
        writer = self.write(full=full)
        assert writer.wait(timeout=240) == 0, (self._folder / "writer.log").read_text()[-4000:]

    def answer(self, tasks: Sequence[Task]) -> set[tuple[str, str]]:
        """Both people answer each; (task, person) of every answer."""
        calls = [(task, n) for task in tasks for n in range(2)]

        def one(call: tuple[Task, int]) -> tuple[str, str]:
            task, n = call
            self.say("POST", f"/api/tasks/{task.studio_task_id}/annotations/", n, {"result": build_result(VIOLATES)})
            return task.task_id, f"p{n + 1}@goldfold.example"

        with ThreadPoolExecutor(2) as pool:
            return set(pool.map(one, calls))

    def say(self, method: str, path: str, person: int, body: object = None) -> httpx.Response:
        headers = {"Authorization": f"Token {self._people[person]}"}
        said = httpx.request(method, self._server.base_url + path, headers=headers, json=body, timeout=120)
        return said.raise_for_status()

    def there(self) -> Counter[str]:
        """How often each task lies in the project, by the server's own database."""
        database = self._server.log_path.parent / "label_studio.sqlite3"
        query = "select json_extract(data, '$.task_id') from task where project_id = ?"
        with closing(sqlite3.connect(database, timeout=60)) as connection:
            return Counter(row[0] for row in connection.execute(query, (self.project.project_id,)))

    def sent(self) -> list[Task]:
        return self.ledger.tasks.where(states=(TaskState.SENT,))

    def states(self) -> dict[str, TaskState]:
        return {task.task_id: task.state for task in self.ledger.tasks.where()}


def test_nothing_is_lost_doubled_or_brought_back(tmp_path: Path, server: EmbeddedStudio) -> None:
    luck = random.Random(SEED)
    ledger = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    faults = FAULTS - WRITER_KILLS - SERVER_KILLS
    with FaultyProxy(server.base_url, faults=0, rate=0.4, seed=SEED, late_s=LATE_S) as proxy:
        chaos = Chaos(tmp_path, server, proxy, ledger)
        tasks = make_tasks(ledger, chaos.policy, [f"text {n}" for n in range(TASKS)])
        withdrawn = {task.task_id for task in tasks[:100]}
        ledger.tasks.set_state(sorted(withdrawn), TaskState.WITHDRAWN)
        proxy.left = faults * 9 // 10
        for kill in range(WRITER_KILLS + SERVER_KILLS):
            writer = chaos.write()
            time.sleep(luck.uniform(3.0, 8.0))
            if kill % 3 == 1 and kill // 3 < SERVER_KILLS:
                server.kill()
                server.start()
                proxy.base_url = server.base_url
            writer.kill()
            writer.wait()
        kills = WRITER_KILLS + SERVER_KILLS
        chaos.finish()
        assert chaos.there() == Counter(task.task_id for task in tasks if task.task_id not in withdrawn)

        # People answer, take back and are kept from nothing; tasks end, and are deleted there before and after it.
        answered = luck.sample(chaos.sent(), ANSWERED)
        given = chaos.answer(answered)
        proxy.left += faults - faults * 9 // 10
        chaos.finish()
        ended, open_ = answered[:20], answered[20:]
        ledger.tasks.set_state([task.task_id for task in ended], TaskState.SETTLED)
        taken_back = take_back(chaos, open_[:10])
        deleted = [*ended[:10], *open_[30:]]
        for task in deleted:
            chaos.say("DELETE", f"/api/tasks/{task.studio_task_id}/", 0)
        chaos.finish(full=True)
        while proxy.left:
            chaos.finish()
        proxied = sum(proxy.happened.values())

    assert proxied + kills == FAULTS, proxy.happened
    gone = withdrawn | {task.task_id for task in ended[:10]}
    expected = Counter(task.task_id for task in tasks if task.task_id not in gone)
    there = chaos.there()
    assert not expected - there, "lost"
    assert not there - expected, "doubled, or brought back"
    states = chaos.states()
    assert {states[task_id] for task_id in withdrawn} == {TaskState.WITHDRAWN}
    assert {states[task.task_id] for task in ended} == {TaskState.SETTLED}
    assert Counter(states.values())[TaskState.SENT] == TASKS - len(withdrawn) - len(ended)
    current = ledger.annotations.current([task.task_id for task in tasks])
    kept = Counter((task_id, each.annotator) for task_id, answers in current.items() for each in answers)
    assert kept == Counter(given - taken_back)
    assert all(each.answer == VIOLATES for answers in current.values() for each in answers)
    ledger.close()


def take_back(chaos: Chaos, tasks: Sequence[Task]) -> set[tuple[str, str]]:
    """The first person deletes their answers to these."""
    for task in tasks:
        first = min(chaos.ledger.annotations.events(task.task_id), key=lambda event: event.annotator)
        chaos.say("DELETE", f"/api/annotations/{first.studio_annotation_id}/", 0)
    return {(task.task_id, "p1@goldfold.example") for task in tasks}
