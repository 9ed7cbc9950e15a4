"""``goldfold score --engine daft`` for real: Daft's native runner, a Ray on this machine, an object store on loopback.

Each run is a process of its own. The files that the sink keeps of finished shards tell how far it is, and which
process scored them: that one is killed, or the one that leads the run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labeling.items import item_id_of
from labeling.store.lake import LanceLake
from labeling.store.sink import RUNS
from scoring.hf_classifier import HFClassifier
from tests.api.rooms import ROOT
from tests.moto_server import SECRET, ObjectStore, object_store
from tests.scoring.tiny import write_model

__all__ = ["object_store"]

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

GOLDFOLD = str(Path(sys.executable).parent / "goldfold")
LABELS = {"insult": "hate_speech", "threat": "violence"}
SHARDS, ROWS = 10, 300
TIMEOUT_S = 400
TELEMETRY = {b"RAY_USAGE_STATS_ENABLED=0", b"DAFT_ANALYTICS_ENABLED=0", b"DO_NOT_TRACK=1"}


@dataclass
class Site:
    """An installation whose scorer is a tiny classifier, and content for it."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def scoring(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        command = [GOLDFOLD, "--config", "goldfold.yaml", "score", "--engine", "daft", "--json", *arguments]
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "RAY_", "DAFT_"))}
        clean.pop("DO_NOT_TRACK", None)
        environment = clean | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | self.environment
        with subprocess.Popen(
            command, cwd=self.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as child:
            try:
                yield child
            finally:
                child.kill()

    def score(self, *arguments: str) -> dict[str, Any]:
        with self.scoring(*arguments) as child:
            return report_of(child)

    def finished(self) -> list[dict[str, Any]]:
        """What is kept of the shards that are done."""
        return [json.loads(path.read_text()) for path in self.folder.glob(f"data/lake/{RUNS}/*/*.json")]

    def first_finished(self, child: subprocess.Popen[str]) -> dict[str, Any]:
        until = time.monotonic() + TIMEOUT_S
        while time.monotonic() < until and child.poll() is None:
            if found := self.finished():
                return found[0]
            time.sleep(0.02)
        pytest.fail(f"no shard was finished: {child.communicate()}")

    def texts(self) -> dict[str, str]:
        return {f"post-{n}": text(n) for n in range(SHARDS * ROWS)}

    def check(self, lake: LanceLake) -> None:
        """Every item is there once, with the score that the scorer gives it by itself."""
        texts = self.texts()
        ids = [item_id_of(name) for name in texts]
        scorer = HFClassifier(str(self.folder / "model"), LABELS, activation="sigmoid", device="cpu", max_tokens=32)
        alone = scorer.score(ids, list(texts.values()))
        groups = ["items", f"scores-{scorer.version}", f"embeddings-{scorer.embedding_version}"]
        assert {group: lake.count(group) for group in groups} == dict.fromkeys(groups, len(ids))
        assert lake.ids() == sorted(ids)
        table = lake.take(alone.ids, alone.policies, groups[1])
        together = np.column_stack([table[policy].to_numpy() for policy in alone.policies])
        np.testing.assert_allclose(together, alone.probabilities, atol=1e-5)
        assert lake.take(ids, ["text"])["text"].to_pylist() == list(texts.values())


def text(n: int) -> str:
    return f"the quick fox {n} " + "and a hundred small birds sing " * (n % 5)


def shard_files() -> Iterator[tuple[str, list[dict[str, str]]]]:
    for shard in range(SHARDS):
        numbers = range(shard * ROWS, (shard + 1) * ROWS)
        yield f"part-{shard}", [{"external_id": f"post-{n}", "text": text(n)} for n in numbers]


def report_of(child: subprocess.Popen[str]) -> dict[str, Any]:
    told, errors = child.communicate(timeout=TIMEOUT_S)
    assert child.returncode == 0, told + errors
    assert told.startswith("{"), told  # whatever an engine says, it is not said here
    report: dict[str, Any] = json.loads(told)
    return report


@pytest.fixture
def site(tmp_path: Path) -> Site:
    write_model(tmp_path / "model", "bert")
    labels = ", ".join(f"{label}: {policy}" for label, policy in LABELS.items())
    (tmp_path / "scorer.yaml").write_text(f"kind: hf-text\nmodel: model\nlabels: {{{labels}}}\nactivation: sigmoid\n")
    (tmp_path / "goldfold.yaml").write_text("scorer: scorer.yaml\ndevice: cpu\nmax_tokens: 32\n")
    (tmp_path / "src").mkdir()
    for number, (name, rows) in enumerate(shard_files()):
        if number % 2:
            pq.write_table(pa.Table.from_pylist(rows), tmp_path / "src" / f"{name}.parquet")
        else:
            (tmp_path / "src" / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return Site(tmp_path)


def wait_until_gone(pid: int) -> None:
    until = time.monotonic() + 60
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < until, f"worker {pid} outlives the run"
        time.sleep(0.1)


@pytest.mark.timeout(2 * TIMEOUT_S)
def test_a_run_whose_leader_is_killed_goes_on_with_the_next(site: Site) -> None:
    with site.scoring("--source", "src") as child:
        worker = site.first_finished(child)["worker_pid"]
        assert set(Path(f"/proc/{worker}/environ").read_bytes().split(b"\0")) >= TELEMETRY
        child.kill()
        child.communicate()
    before = len(site.finished())
    assert 1 <= before < SHARDS
    wait_until_gone(worker)
    report = site.score("--source", "src")
    assert (report["done_before"], report["done"]) == (before, SHARDS - before)
    assert report["read"] == (SHARDS - before) * ROWS
    site.check(LanceLake(site.folder / "data" / "lake"))


@pytest.mark.timeout(2 * TIMEOUT_S)
@pytest.mark.parametrize("runner", [(), ("--ray-address", "local")], ids=["native", "ray"])
def test_a_worker_that_is_killed_is_replaced(site: Site, runner: tuple[str, ...]) -> None:
    with site.scoring("--source", "src", "--workers", "1", *runner) as child:
        worker = site.first_finished(child)["worker_pid"]
        assert set(Path(f"/proc/{worker}/environ").read_bytes().split(b"\0")) >= TELEMETRY
        assert worker != child.pid
        os.kill(worker, 9)
        assert len(site.finished()) < SHARDS
        report = report_of(child)
    assert (report["done"], report["scored"], report["added"]) == (SHARDS, SHARDS * ROWS, SHARDS * ROWS)
    assert len({shard["worker_pid"] for shard in site.finished()}) > 1
    site.check(LanceLake(site.folder / "data" / "lake"))


@pytest.mark.timeout(2 * TIMEOUT_S)
def test_source_and_sink_in_an_object_store(
    site: Site, object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = object_store.make_bucket("posts")
    for file in (site.folder / "src").iterdir():
        object_store.put(f"{bucket}/src/{file.name}", file.read_bytes())
    site.environment |= object_store.environment
    arguments = ("--source", f"{bucket}/src", "--sink", f"{bucket}/lake")
    with site.scoring(*arguments) as child:
        told, errors = child.communicate(timeout=TIMEOUT_S)
        assert child.returncode == 0, errors
    assert SECRET not in told + errors
    assert json.loads(told)["done"] == SHARDS
    assert site.score(*arguments)["done_before"] == SHARDS
    for name, value in {**object_store.environment, "AWS_ALLOW_HTTP": "true"}.items():
        monkeypatch.setenv(name, value)
    site.check(LanceLake(f"{bucket}/lake"))
