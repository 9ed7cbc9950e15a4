"""A fine-tuning whose process is killed by SIGKILL goes on in the next one, and ends as one without a break."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from api.jobs import finetuning
from api.jobs.progress import last_tick
from labeling.golden.publish import publish
from labeling.model_records import Model, ModelState
from labeling.training import Trained
from tests.api.rooms import ROOT
from tests.api.site import WordGoldfold, gild, score_all, select, settings, stock
from tests.scoring.lessons import files_of, made_base

RUN = "from api.cli.main import run; run()"
LIMIT_S = 120.0


def test_a_step_tells_its_figures_and_ends_with_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, object]] = []
    model = Model("f1", "v", "1.0.0", "p", ModelState.CANDIDATE)

    def finetune(goldfold: object, request: Mapping[str, Any], watch: Any, until: Any) -> Any:
        watch(3, 9, {"loss": 0.5, "grad_norm": 7.0})
        watch(4, 9, {"dev_loss": 0.25})
        seen.append(last_tick("f1"))
        done = not until()
        return SimpleNamespace(step=9 if done else 4, steps=9, trained=Trained(model, {}) if done else None)

    monkeypatch.setattr(finetuning, "import_module", lambda _: SimpleNamespace(finetune=finetune))
    goldfold: Any = object()
    told = {"done": 4, "total": 9, "figures": {"loss": 0.5, "dev_loss": 0.25}, "finished": False}
    monkeypatch.setattr(finetuning, "STEPS", SimpleNamespace(is_open=False))
    assert finetuning.finetune(goldfold, "f1", {}) == told
    monkeypatch.setattr(finetuning, "STEPS", SimpleNamespace(is_open=True))
    made = {"version": "v", "report": {}}
    assert finetuning.finetune(goldfold, "f1", {}) == told | {"done": 9, "finished": True} | made
    monkeypatch.setattr(finetuning, "FINETUNE_STEP_S", 0.0)
    assert finetuning.finetune(goldfold, "f1", {}) == told
    assert seen[0] == {"stage": "train", "done": 4, "total": 9, "loss": 0.5, "dev_loss": 0.25}
    assert last_tick("f1") == {}


def start(data: Path, base: Path, model_id: str) -> subprocess.Popen[str]:
    given = ["--epochs", "8", "--learning-rate", "0.002", "--step-tokens", "64", "--patience", "99"]
    arguments = ["train", "finetune", "--base", str(base), "--id", model_id, *given, "--json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "GOLDFOLD_DEVICE": "cpu", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", RUN, "--data-dir", str(data), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def finish(data: Path, base: Path, model_id: str) -> Any:
    with start(data, base, model_id) as process:
        said, _ = process.communicate(timeout=LIMIT_S)
        assert process.returncode == 0
    return json.loads(said)


@pytest.mark.slow
def test_killed_and_gone_on_it_has_the_same_weights_and_figures(tmp_path: Path) -> None:
    base, data = made_base(tmp_path / "base"), tmp_path / "data"
    shares = {"train": 0.6, "dev": 0.4}
    with closing(WordGoldfold(settings(data, partitions=shares))) as site:
        stock(site)
        score_all(site)
        select(site, budget=40)  # so that dev has enough to say when to stop
        gild(site)
        publish(site.ledger.golden, site.golden_dir, datetime.now(UTC))
    checkpoints, deadline = data / "training" / "killed" / "checkpoints", time.monotonic() + LIMIT_S
    with start(data, base, "killed") as process:
        while not any(int(path.name[11:]) >= 6 for path in checkpoints.glob("checkpoint-*")):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        assert process.wait(LIMIT_S) == -signal.SIGKILL
    assert not (data / "models" / "killed").exists()
    written = {path.name: path.stat().st_mtime_ns for path in checkpoints.glob("checkpoint-*")}
    gone_on, whole = finish(data, base, "killed"), finish(data, base, "whole")
    assert gone_on == whole | {"model_id": "killed"}
    assert files_of(data / "models" / "killed") == files_of(data / "models" / "whole")
    logs = sorted((data / "training" / "killed" / "logs").iterdir())
    assert written
    assert len(logs) == 2  # one of each process
    assert len(list((data / "training" / "whole" / "logs").iterdir())) == 1
