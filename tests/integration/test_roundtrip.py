"""The whole trip on real votes: items in, a round answered in a real Label Studio by what people had said, a golden
version, two models, a gate, promotions, scores anew, and back again. The service is a process of its own, with the
real encoder. Needs ``tweets.jsonl.gz`` (``tests.realdata``), of which it takes a part.
"""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import httpx
import pytest

from labeling.items import item_id_of
from labeling.records import Answer, Cause, Outcome, Partition, Verdict
from labeling.scorebook import SCORES
from labeling.store.lake import LanceLake
from labeling.store.ledger import open_ledger
from labeling.studio.embedded import EmbeddedStudio
from labeling.studio.label_config import build_result
from tests.integration.test_loop import Running, serving, wait_for
from tests.realdata import real_set

pytestmark = [pytest.mark.studio, pytest.mark.slow]

POLICY = "hate_speech"
EACH = 70  # tweets of either kind
BUDGET = 70
YES, NO = Answer(Outcome.VIOLATES, "general", 3), Answer(Outcome.ALLOWED)
LEAD: dict[str, Any] = {"rationale": "the third vote", "verdict": Verdict.SINGLE, "cause": Cause.LEGITIMATELY_PLURAL}
SETTINGS = {
    "PARTITIONS": '{"train": 0.5, "dev": 0.2, "sealed": 0.3}',
    "STUDIO_WEBHOOK_SECRET": "",  # a sweep after each answer would only cost time
    "GATE_MARGINS": json.dumps({str(severity): 0.45 for severity in range(5)}),  # few pairs must do
}
Rows = dict[str, dict[str, Any]]  # by item id


@pytest.fixture
def rows() -> Rows:
    """Tweets of which most people said hate, and as many of which nobody did."""
    with gzip.open(real_set("tweets.jsonl.gz"), "rt", encoding="utf-8") as lines:
        every = list({str(row["text"]): row for row in map(json.loads, lines)}.values())
    hate = [row for row in every if row["label"] == "hate"][:EACH]
    calm = [row for row in every if row["votes"]["neither"] >= 3 and not row["votes"]["hate"]][:EACH]
    return {item_id_of(row["external_id"]): row for row in (*hate, *calm)}


@pytest.fixture
def running(tmp_path: Path, studio_server: EmbeddedStudio, rows: Rows) -> Iterator[Running]:
    assert len(rows) == 2 * EACH
    with serving(tmp_path, studio_server, POLICY, **SETTINGS) as running:
        yield running


def votes(row: dict[str, Any]) -> list[bool]:
    """Three of them, whether each says hate; those that say it not at all first, so that some rows are disputed."""
    said = [name == "hate" for name, count in row["votes"].items() for _ in range(count)]
    return sorted(said)[-3:]


def replay(running: Running, server: EmbeddedStudio, token: str, rows: Rows, kind: str, turn: int) -> None:
    """One person gives the ``turn``-th vote on every task of a kind that was sent."""
    tasks = running.http.get("/v1/tasks", params={"kind": kind, "state": "sent"}).json()
    with httpx.Client(base_url=server.base_url, headers={"Authorization": f"Token {token}"}, timeout=60) as client:
        for task in tasks:
            studio_id = int(task["studio_url"].rpartition("=")[2])
            said = YES if votes(rows[task["item_id"]])[turn] else NO
            said = replace(said, **LEAD) if kind == "adjudication" else said
            client.post(f"/api/tasks/{studio_id}/annotations/", json={"result": build_result(said)}).raise_for_status()


def label(running: Running, server: EmbeddedStudio, people: list[str], rows: Rows) -> str:
    """A round from picks to gold; the golden version that holds it."""
    done = running.job("/v1/rounds", round_id="round-1", budget=BUDGET, seed=1)
    assert (done["picks"], done["state"]) == (BUDGET, "open")
    for turn, token in enumerate(people[:2]):
        replay(running, server, token, rows, "blind", turn)
    running.job("/v1/jobs/sync")
    replay(running, server, people[2], rows, "adjudication", 2)
    running.job("/v1/jobs/sync")
    assert running.http.get("/v1/rounds/round-1").json()["state"] == "closed"
    assert sum(stratum["items"] for stratum in running.http.get("/v1/golden").json()) == BUDGET
    return str(running.http.post("/v1/golden/versions", json={}).json()["version"])


def scored_by(running: Running, promoted: dict[str, Any], rows: Rows) -> str:
    """The version of the scorer of the rescore job, after which each item has a score of it."""
    job: dict[str, Any] = {}

    def ended() -> bool:
        job.update(running.http.get(f"/v1/jobs/{promoted['rescore_job_id']}").json())
        return job["state"] in ("done", "failed", "cancelled")

    wait_for(ended, "the rescore job")
    assert (job["state"], job["result"]["left"], job["result"]["failed"]) == ("done", 0, 0)
    version = str(job["result"]["scorer_version"])
    assert set(LanceLake(running.folder / "data" / "lake").ids(f"{SCORES}{version}")) == set(rows)
    shown = running.http.get(f"/v1/items/{next(iter(rows.values()))['external_id']}").json()
    assert 0 <= shown["scores"][version][POLICY] <= 1
    return version


class Watcher(threading.Thread):
    """Asks for the champion again and again: there is never none, and never two."""

    def __init__(self, http: httpx.Client) -> None:
        super().__init__(daemon=True)
        self.seen: list[list[str]] = []
        self.ended = threading.Event()
        self._http = httpx.Client(base_url=http.base_url, headers=http.headers, timeout=60)

    def run(self) -> None:
        with self._http:
            while not self.ended.is_set():
                models = self._http.get("/v1/models").json()
                self.seen.append([model["model_id"] for model in models if model["state"] == "champion"])


def test_the_round_trip(
    running: Running, studio_server: EmbeddedStudio, annotators: dict[str, str], rows: Rows
) -> None:
    http, people = running.http, list(annotators.values())
    items = [{"external_id": row["external_id"], "text": row["text"], "language": "en"} for row in rows.values()]
    assert http.post("/v1/items", json={"items": items}).json()["added"] == len(rows)
    first = running.job("/v1/jobs/score")
    assert (first["scored"], first["left"]) == (len(rows), 0)

    version = label(running, studio_server, people, rows)
    trained = running.job("/v1/models", model_id="model-1", golden_version=version)
    assert trained["report"][POLICY]["trained"], trained
    promoted = http.post("/v1/models/model-1/promote").json()
    scorers = [first["scorer_version"], scored_by(running, promoted, rows)]

    exported = http.post(f"/v1/golden/versions/{version}/exports", json={"partitions": ["train"]}).json()["folder"]
    taught = datasets.load_dataset(exported, cache_dir=str(running.folder / "cache"))["train"]["external_id"]
    held_back = sealed(running.folder)
    assert len(held_back) > 13
    assert not held_back & set(taught)
    assert set(taught) <= {row["external_id"] for row in rows.values()}

    running.job("/v1/models", model_id="model-2", golden_version=version, seed=1)  # other folds, another line
    assert http.post("/v1/models/model-2/promote").status_code == 409  # it has not met the gate
    verdict = http.post("/v1/models/model-2/gate", json={}).json()
    assert (verdict["verdict"], verdict["champion"]["model_id"]) == ("pass", "model-1"), verdict
    assert verdict["n"] + verdict["left_out"] <= len(held_back)

    watcher = Watcher(http)
    watcher.start()
    scorers.append(scored_by(running, http.post("/v1/models/model-2/promote").json(), rows))
    assert len(set(scorers)) == 3
    back = http.post("/v1/models/rollback", json={"reason": "a try"}).json()
    assert (back["model_id"], back["state"]) == ("model-1", "champion")
    assert scored_by(running, back, rows) == scorers[1]
    watcher.ended.set()
    watcher.join(60)
    order = [seen for place, seen in enumerate(watcher.seen) if not place or seen != watcher.seen[place - 1]]
    assert order in ([["model-1"], ["model-2"], ["model-1"]], [["model-2"], ["model-1"]])
    assert running.job("/v1/jobs/score")["scored"] == 0  # nothing was lost, and nothing is owed
    assert http.post("/v1/golden/verify").status_code == 200


def sealed(folder: Path) -> set[str]:
    """External ids of sealed items."""
    ledger = open_ledger(f"sqlite:///{folder / 'data' / 'ledger.db'}")
    found = {row.external_id for row in ledger.golden.items(partition=Partition.SEALED)}
    ledger.close()
    return found
