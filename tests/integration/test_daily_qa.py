"""A day's decisions are judged again by people in a real Label Studio, who see nothing of them."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from api.daily_qa import decisions_of_day, report_day, sample_day, take_in
from labeling.records import Answer, Outcome, TaskKind, TaskState
from labeling.studio.embedded import EmbeddedStudio
from labeling.studio.label_config import build_result
from tests.api.routes.test_qa import DAY, rows
from tests.api.site import WordGoldfold, settings, stock
from tests.integration.test_policies import send, sync

pytestmark = [pytest.mark.studio, pytest.mark.slow]


def test_decisions_are_judged_again_blind(
    tmp_path: Path, studio_server: EmbeddedStudio, annotators: dict[str, str]
) -> None:
    studio = {"studio_url": studio_server.base_url, "studio_token": studio_server.account.token}
    partitions = {"train": 1.0}
    given = settings(tmp_path, **studio, studio_owner="qa", studio_settle_s=0, partitions=partitions, overlap=1)
    goldfold = WordGoldfold(given)
    stock(goldfold, 20)
    decider, other = list(annotators)[:2]
    decided = [{**row, "who": decider} for row in rows(20)]
    decided[1] |= {"outcome": "ok", "rule": None}
    take_in(goldfold, decided)
    made = sample_day(goldfold, DAY)
    assert (made.sampled, made.asked) == (20, 20)
    send(goldfold)
    sent = goldfold.ledger.tasks.where(states=[TaskState.SENT], kind=TaskKind.BLIND)
    with httpx.Client(base_url=studio_server.base_url, headers=_token(annotators[other])) as http:
        for task in sent[1:]:
            shown = http.get(f"/api/tasks/{task.studio_task_id}/").json()
            assert set(shown["data"]) == {"task_id", "text"}
            assert not shown["predictions"]
            _answer(http, task.studio_task_id, task.text)
    with httpx.Client(base_url=studio_server.base_url, headers=_token(annotators[decider])) as http:
        _answer(http, sent[0].studio_task_id, sent[0].text)
    settled = sync(goldfold)
    assert (settled["settled"], settled["problems"], sum(settled["refused"].values())) == (19, [], 1)
    told = report_day(goldfold, DAY)
    assert (told["judged"], told["waiting"]) == (19, 1)
    wrong = [one["decision_id"] for one in decisions_of_day(goldfold, DAY, verdict="under_enforcement")]
    assert wrong == (["d-1"] if sent[0].text.split()[0] != "text1" else [])
    goldfold.close()


def _token(token: str) -> dict[str, str]:
    return {"Authorization": f"Token {token}"}


def _answer(http: httpx.Client, number: int | None, text: str) -> None:
    said = Answer(Outcome.VIOLATES, "general", 3) if "vermin" in text else Answer(Outcome.ALLOWED)
    http.post(f"/api/tasks/{number}/annotations/", json={"result": build_result(said)}).raise_for_status()
