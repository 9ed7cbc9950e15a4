"""The mirror against a server in memory and, where one is named, a real MLflow."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from labeling.errors import InvalidInput, MirrorRefused, MirrorUnreachable
from labeling.mirror.mlflow import Mlflow
from labeling.mirror.portrait import portrait
from labeling.mirror.records import MirrorRow
from labeling.mirror.run import Mirrored, behind, mirror
from labeling.model_records import Model, ModelState
from labeling.records import Partition
from labeling.store.ledger import SqlLedger, open_ledger
from tests.contracts.records import T0, golden, version
from tests.mlflow_server import FakeMlflow

REAL = os.environ.get("GOLDFOLD_TEST_MLFLOW_URL", "")
FIGURE = {"value": 0.5, "low": 0.25, "high": 0.75, "n": 40}
METRICS: dict[str, object] = {
    "golden_version": "0.1.0",
    "policies": {
        "hate": {"licence": "dev gold only", "auprc": FIGURE, "precision": {**FIGURE, "value": None}, "recall": FIGURE}
    },
}


@dataclass
class Site:
    ledger: SqlLedger
    url: str
    connect: Callable[[], Mlflow]
    fake: FakeMlflow
    tag: str

    def run(self) -> Mirrored:
        return mirror(self.ledger, self.url, self.connect)

    def add(self, name: str, state: ModelState = ModelState.CANDIDATE) -> str:
        model_id = f"{name}-{self.tag}"
        model = Model(model_id, f"w-{name}", "0.1.0", "models/x", state, METRICS, T0, None, "a" * 64, f"fam/{self.tag}")
        self.ledger.models.add(model)
        return model_id

    def stages(self) -> dict[str, tuple[str, bool]]:
        """Of each version in the server by model: its stage, and whether it is the champion; by REST alone."""
        name = next(iter(self.names()))
        model = self.get("registered-models/get", name=name)["registered_model"]
        champions = {one["version"] for one in model.get("aliases", []) if one["alias"] == "champion"}
        found = {}
        for row in self.ledger.mirrors.at(self.url).values():
            wanted = f"name = '{name}' and run_id = '{row.run_id}'"
            (one,) = self.get("model-versions/search", filter=wanted)["model_versions"]
            tags = one["tags"] if isinstance(one["tags"], dict) else {t["key"]: t["value"] for t in one["tags"]}
            found[row.model_id.split("-")[0]] = (tags["goldfold.stage"], one["version"] in champions)
        return found

    def get(self, path: str, **params: str) -> Any:
        transport = None if self.url == REAL else httpx.MockTransport(self.fake)
        with httpx.Client(base_url=self.url + "/api/2.0/mlflow/", transport=transport) as api:
            return api.get(path, params=params).json()

    def names(self) -> set[str]:
        golden_now, models = self.ledger.golden, self.ledger.models
        return {portrait(golden_now, one, [], None).name for one in models.all()}


@pytest.fixture(params=["memory", *(["real"] if REAL else [])])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    fake = FakeMlflow()
    url = REAL if request.param == "real" else "http://mlflow.test"
    transport = None if request.param == "real" else httpx.MockTransport(fake)
    ledger = open_ledger(f"sqlite:///{tmp_path}/ledger.db")
    rows = [golden(number, partition=part) for number, part in enumerate(Partition)]
    ledger.golden.add_version(version(), rows)
    yield Site(ledger, url, lambda: Mlflow(url, "secret", transport=transport), fake, uuid4().hex[:8])
    ledger.close()


def test_every_move_of_the_registry_reaches_the_mirror(site: Site) -> None:
    first, second = site.add("one"), site.add("two")
    assert site.run() == Mirrored((first, second), ())
    assert site.stages() == {"one": ("candidate", False), "two": ("candidate", False)}
    models = site.ledger.models
    models.promote(first, "lea", over=None, reason="first")
    assert site.run().mirrored == (first,)
    assert site.stages() == {"one": ("champion", True), "two": ("candidate", False)}
    models.promote(second, "lea", over=first, reason="better")
    assert site.run().mirrored == (first, second)
    assert site.stages() == {"one": ("archived", False), "two": ("champion", True)}
    models.rollback("lea")
    site.run()
    assert site.stages() == {"one": ("champion", True), "two": ("archived", False)}
    assert site.run() == Mirrored((), ())


def test_the_same_again_makes_nothing_twice(site: Site) -> None:
    model_id = site.add("one")
    site.run()
    before = site.ledger.mirrors.at(site.url)[model_id]
    site.ledger.mirrors.put(MirrorRow(site.url, model_id, "", "", "", "", T0))  # as if killed before it was noted
    site.run()
    after = site.ledger.mirrors.at(site.url)[model_id]
    assert (after.run_id, after.version, after.digest) == (before.run_id, before.version, before.digest)


def test_a_run_tells_hashes_figures_and_counts(site: Site) -> None:
    model_id = site.add("one", ModelState.CHAMPION)
    site.run()
    run_id = site.ledger.mirrors.at(site.url)[model_id].run_id
    if site.url == REAL:
        data = site.get("runs/get", run_id=run_id)["run"]["data"]
        told = {kind: {one["key"]: one["value"] for one in data[kind]} for kind in ("params", "tags", "metrics")}
    else:
        told = site.fake.runs[run_id]
    assert told["params"]["golden_version"] == "0.1.0"
    assert told["params"]["artefact_sha256"] == "a" * 64
    assert told["metrics"] == {
        f"dev.hate.{figure}.{part}": FIGURE[part]
        for figure in ("auprc", "precision", "recall")
        for part in FIGURE
        if (figure, part) != ("precision", "value")
    }
    tags = told["tags"]
    assert {tags[f"golden.{partition}.rows"] for partition in Partition} == {"1"}
    assert {p for p in Partition if f"golden.{p}.merkle_root" in tags} == {
        Partition.TRAIN,
        Partition.CALIBRATION,
        Partition.DEV,
    }
    assert tags["policy.hate"] == "1.0.0"


def test_a_mirror_that_is_down_stops_nobody_and_catches_up(site: Site) -> None:
    first = site.add("one")

    def away() -> Mlflow:
        return Mlflow(site.url, transport=httpx.MockTransport(lambda _request: httpx.Response(503)))

    done = mirror(site.ledger, site.url, away)
    assert (done.mirrored, done.behind) == ((), (first,))
    assert "503" in done.error
    assert site.ledger.mirrors.at(site.url)[first].error == done.error
    site.ledger.models.promote(first, "lea", over=None)
    assert site.run() == Mirrored((first,), ())
    assert site.ledger.mirrors.at(site.url)[first].error == ""
    assert behind(site.ledger, site.url) == []


# --- the server in memory alone: it can be broken at will ---


@pytest.fixture
def fake_site(site: Site) -> Site:
    if site.url == REAL:
        pytest.skip("a real server is not broken on purpose")
    return site


def test_killed_after_any_call_it_goes_on_and_makes_nothing_twice(fake_site: Site) -> None:
    ids = {fake_site.add("one", ModelState.CHAMPION), fake_site.add("two")}
    for calls in range(60):
        fake_site.fake.down_after = calls
        if not fake_site.run().behind:
            break
    fake = fake_site.fake
    fake.down_after = None
    assert {run["tags"]["goldfold.model_id"] for run in fake.runs.values()} == ids
    assert len(fake.runs) == len(fake.versions) == 2
    assert {run["status"] for run in fake.runs.values()} == {"FINISHED"}
    assert fake_site.stages() == {"one": ("champion", True), "two": ("candidate", False)}


def test_nothing_of_an_item_is_sent_and_the_token_always_is(fake_site: Site) -> None:
    fake_site.add("one", ModelState.CHAMPION)
    fake_site.run()
    sent = json.dumps(fake_site.fake.calls)
    for number, _ in enumerate(Partition):
        row = golden(number)
        assert not {word for word in (row.text, row.item_id, row.external_id, row.content_hash) if word in sent}
    assert fake_site.fake.tokens == {"Bearer secret"}


def test_a_model_that_is_refused_does_not_hold_up_the_others(fake_site: Site) -> None:
    first, second = fake_site.add("one"), fake_site.add("two")
    fake_site.run()
    fake_site.fake.runs[fake_site.ledger.mirrors.at(fake_site.url)[first].run_id]["params"]["kind"] = "by hand"
    for model_id in (first, second):
        fake_site.ledger.models.move(model_id, ModelState.ARCHIVED, "lea")
    done = fake_site.run()
    assert (done.mirrored, done.behind) == ((second,), (first,))
    assert "INVALID_PARAMETER_VALUE" in done.error


def test_addresses_and_answers_that_are_none() -> None:
    for url in ("mlflow", "http://me:pw@mlflow.test", "http://mlflow.test?token=x"):
        with pytest.raises(InvalidInput, match="mlflow_url"):
            Mlflow(url)

    def refuse(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no")

    with pytest.raises(MirrorUnreachable, match=r"mlflow\.test does not answer"):
        Mlflow("http://mlflow.test", transport=httpx.MockTransport(refuse)).ping()
    page = httpx.MockTransport(lambda _request: httpx.Response(200, text="<html>"))
    with pytest.raises(MirrorRefused, match="NO_JSON"):
        Mlflow("http://mlflow.test", transport=page).experiment()
