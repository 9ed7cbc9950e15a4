"""The assisted lane through the jobs and a real Label Studio: blind first, then beside a suggestion, and no gold."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from api.anchoring import anchoring_told
from api.jobs.runtime import JobRuntime
from api.requests import round_request
from labeling.records import Answer, Outcome, RoundState, Task, TaskKind, TaskState
from labeling.studio.embedded import EmbeddedStudio
from labeling.studio.label_config import build_result
from tests.api.site import HARM, WordGoldfold, running, settings, stock

pytestmark = [pytest.mark.studio, pytest.mark.slow]


def say(server: EmbeddedStudio, token: str, task: Task, answer: Answer) -> None:
    httpx.post(
        f"{server.base_url}/api/tasks/{task.studio_task_id}/annotations/",
        headers={"Authorization": f"Token {token}"},
        json={"result": [{**row, "origin": "prediction"} for row in build_result(answer)]},
        timeout=60,
    ).raise_for_status()


def job(jobs: JobRuntime, kind: str, job_id: str, request: dict[str, object]) -> None:
    jobs.submit(kind, job_id, request)
    jobs.result(job_id)


def test_the_lane(tmp_path: Path, studio_server: EmbeddedStudio, annotators: dict[str, str]) -> None:
    where = {"studio_url": studio_server.base_url, "studio_token": studio_server.account.token}
    given = settings(tmp_path, studio_owner="assisted", **where)
    goldfold = WordGoldfold(given)
    stock(goldfold)
    ann, bob, cat = annotators.values()
    wanted = {"round_id": "r-1", "policies": [HARM], "budget": 4, "assisted": 0.5, "assisted_blind_share": 0.5}

    def lane(kind: TaskKind, state: TaskState) -> list[Task]:
        return goldfold.ledger.tasks.where(round_id="r-1", kind=kind, states=[state])

    with running(goldfold) as jobs:
        job(jobs, "round", "r-1", round_request(given, wanted))
        blind, first = lane(TaskKind.BLIND, TaskState.SENT), lane(TaskKind.ASSISTED, TaskState.SENT)
        (twin,) = lane(TaskKind.ASSISTED, TaskState.QUEUED)
        assert (len(blind), [task.parent_task_id for task in first]) == (3, [None])
        for task in blind:
            for token in (ann, bob):
                say(studio_server, token, task, Answer(Outcome.ALLOWED))
        say(studio_server, cat, first[0], Answer(Outcome.ALLOWED))
        job(jobs, "sync", "sync-1", {"full": False})
        assert len(goldfold.ledger.golden.items()) == 3
        (sent,) = lane(TaskKind.ASSISTED, TaskState.SENT)
        assert sent.task_id == twin.task_id
        assert goldfold.ledger.rounds.get("r-1").state is RoundState.OPEN
        say(studio_server, cat, sent, Answer(Outcome.ALLOWED))
        job(jobs, "sync", "sync-2", {"full": True})
    assert goldfold.ledger.rounds.get("r-1").state is RoundState.CLOSED
    assert len(goldfold.ledger.golden.items()) == 3
    told = anchoring_told(goldfold)
    assert (told["given"], told["answered"]) == (2, 2)
    assert told["origins"]["taken"] == 2 - told["withheld"]
    assert told["overall"]["n"] == 1 - told["withheld"]
    goldfold.close()
