"""The whole loop through the service: REST in, blind tasks out, people answer in a real Label Studio, gold comes back,
a model learns from it and scores the next round. The service is a process of its own, with the real encoder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import datasets
import httpx
import pytest

from api.demo.ports import free_port
from configs.settings import PACKAGED_POLICIES
from labeling.records import Answer, Cause, Outcome, Verdict
from labeling.studio.embedded import EmbeddedStudio
from labeling.studio.label_config import build_result
from tests.studio_server import ROOT

pytestmark = [pytest.mark.studio, pytest.mark.slow]

POLICY = "violence"
WAIT_S = 120
THREATS = ("I will break the legs of", "somebody should burn down the house of", "tonight we beat up")
CALM = ("I will bake a cake for", "somebody should water the plants of", "tonight we play chess with")
PEOPLE = ("the mayor", "my old teacher", "those tourists", "the bus driver", "her brother", "the new neighbours",
          "that singer", "the goalkeeper", "our landlord", "the librarian")  # fmt: skip


@dataclass
class Running:
    """A service process, and a client with its first admin key."""

    http: httpx.Client
    folder: Path
    answered: set[tuple[int, str]] = field(default_factory=set)

    def job(self, path: str, **body: Any) -> dict[str, Any]:
        """Start a job and wait for its result."""
        started = self.http.post(path, json=body)
        assert started.status_code == 202, started.text
        job: dict[str, Any] = {}

        def ended() -> bool:
            job.update(self.http.get(f"/v1/jobs/{started.json()['job_id']}").json())
            return job["state"] in ("done", "failed", "cancelled")

        wait_for(ended, f"job {path}")
        assert job["state"] == "done", job
        result: dict[str, Any] = job["result"]
        return result


def wait_for(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end, f"{what} did not come in {WAIT_S} s"
        time.sleep(0.2)


@pytest.fixture
def running(tmp_path: Path, studio_server: EmbeddedStudio) -> Iterator[Running]:
    with serving(tmp_path, studio_server, POLICY, PARTITIONS='{"train": 0.5, "dev": 0.5}') as running:
        yield running


@contextmanager
def serving(folder: Path, studio_server: EmbeddedStudio, policy: str, **more: str) -> Iterator[Running]:
    """The service on one packaged policy; ``more``: settings."""
    policies = folder / "policies"
    policies.mkdir()
    (policies / f"{policy}.yaml").write_text((PACKAGED_POLICIES / f"{policy}.yaml").read_text())
    port = free_port()
    settings = {
        "DATA_DIR": str(folder / "data"),
        "POLICIES_DIR": str(policies),
        "PORT": str(port),
        "STUDIO_URL": studio_server.base_url,
        "STUDIO_TOKEN": studio_server.account.token,
        "STUDIO_OWNER": "loop",
        "STUDIO_SETTLE_S": "2",
        "STUDIO_WEBHOOK_SECRET": "a-secret-of-the-test",
        "SYNC_INTERVAL_S": "3600",  # so that only the webhook can bring the answers
        **more,
    }
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GOLDFOLD_")}
    environment |= {f"GOLDFOLD_{name}": value for name, value in settings.items()}
    log = (folder / "serve.log").open("w+")
    command = [str(Path(sys.executable).parent / "goldfold"), "serve"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
    http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)
    try:
        wait_for(lambda: process.poll() is not None or _alive(http), "the service")
        said = (folder / "serve.log").read_text()
        assert process.poll() is None, said
        http.headers["Authorization"] = f"Bearer {re.findall(r'gf_[0-9a-f]+_[A-Za-z0-9_-]+', said)[0]}"
        yield Running(http, folder)
    finally:
        http.close()
        process.terminate()
        process.wait(30)
        log.close()


def _alive(http: httpx.Client) -> bool:
    try:
        return http.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False


def items() -> list[dict[str, Any]]:
    rows = [(f"threat-{n}", f"{THREATS[n % 3]} {PEOPLE[n // 3]}") for n in range(30)]
    rows += [(f"calm-{n}", f"{CALM[n % 3]} {PEOPLE[n // 3]}") for n in range(30)]
    return [{"external_id": external_id, "text": text, "language": "en"} for external_id, text in rows]


def answer(running: Running, server: EmbeddedStudio, token: str, kind: str, *, careless_every: int = 0) -> int:
    """One person answers every task of a kind that was sent, by what its text says; every n-th one wrongly."""
    tasks = running.http.get("/v1/tasks", params={"kind": kind, "state": "sent"}).json()
    client = httpx.Client(base_url=server.base_url, headers={"Authorization": f"Token {token}"}, timeout=60)
    given = 0
    with client:
        for number, task in enumerate(sorted(tasks, key=lambda t: str(t["task_id"]))):
            studio_id = int(task["studio_url"].rpartition("=")[2])
            if (studio_id, token) in running.answered:
                continue
            shown = client.get(f"/api/tasks/{studio_id}/").json()["data"]
            assert set(shown) == (
                {"task_id", "text"} if kind == "blind" else {"task_id", "text", "answers", "precedents"}
            )
            violates = any(threat in shown["text"] for threat in THREATS)
            if careless_every and number % careless_every == 0:
                violates = not violates
            said = Answer(Outcome.VIOLATES, "general", 3) if violates else Answer(Outcome.ALLOWED)
            if kind == "adjudication":
                said = replace(said, rationale="by its words", verdict=Verdict.SINGLE, cause=Cause.A_WRONG)
            client.post(f"/api/tasks/{studio_id}/annotations/", json={"result": build_result(said)}).raise_for_status()
            running.answered.add((studio_id, token))
            given += 1
    return given


def test_the_loop(running: Running, studio_server: EmbeddedStudio, annotators: dict[str, str]) -> None:
    first, second, lead = annotators.values()
    http = running.http

    added = http.post("/v1/items", json={"items": items()})
    assert (added.status_code, added.json()["added"]) == (201, 60)
    assert http.post("/v1/items", json={"items": items()}).json()["already_there"] == 60

    done = running.job("/v1/rounds", round_id="round-1", budget=40, seed=1)
    assert (done["picks"], done["scored"], done["state"]) == (40, 60, "open")
    assert running.job("/v1/rounds", round_id="round-1", budget=40, seed=1) == done  # the same id is the same round

    assert answer(running, studio_server, first, "blind") == 40
    assert answer(running, studio_server, second, "blind", careless_every=5) == 40
    waiting = {"kind": "adjudication", "state": "sent"}
    wait_for(lambda: len(http.get("/v1/tasks", params=waiting).json()) == 8, "the webhook's sweep: eight disputes")
    assert answer(running, studio_server, lead, "adjudication") == 8
    wait_for(lambda: http.get("/v1/rounds/round-1").json()["state"] == "closed", "the end of the round")

    strata = http.get("/v1/golden").json()
    assert sum(s["items"] for s in strata) == 40
    version = http.post("/v1/golden/versions", json={}).json()["version"]
    assert version == "1.0.0"
    verified = http.post(f"/v1/golden/versions/{version}/verify").json()
    assert verified == {"versions": ["1.0.0"], "rows": 40, "events": 41}
    folder = http.post(f"/v1/golden/versions/{version}/exports", json={"partitions": ["train"]}).json()["folder"]
    loaded = datasets.load_dataset(folder, cache_dir=str(running.folder / "cache"))
    truth = {row["external_id"]: row["label"] for row in loaded["train"]}  # 0 allowed, 1 violates
    assert truth
    assert all(label == name.startswith("threat") for name, label in truth.items())

    trained = running.job("/v1/models", model_id="model-1", golden_version=version)
    assert trained["report"][POLICY]["trained"], trained
    judged = trained["evaluation"]["policies"][POLICY]
    assert judged["n"] == sum(s["items"] for s in strata if s["partition"] == "dev")
    assert judged["auprc"]["low"] <= judged["auprc"]["high"]
    promoted = http.post("/v1/models/model-1/promote").json()
    assert promoted["state"] == "champion"

    again = running.job("/v1/rounds", round_id="round-2", budget=20, seed=2)
    assert again["picks"] == 20
    rescored = http.get(f"/v1/jobs/{promoted['rescore_job_id']}").json()["result"]["scored"]
    assert rescored + again["scored"] == 60  # every item was scored anew, by the promoted model
    rounds = {r["round_id"]: r for r in http.get("/v1/rounds").json()}
    assert rounds["round-2"]["scorer_version"] != rounds["round-1"]["scorer_version"]
    picked = [{(p["item_id"], p["policy"]) for p in http.get(f"/v1/rounds/{r}/picks").json()} for r in rounds]
    assert not picked[0] & picked[1]
