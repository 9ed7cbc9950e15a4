"""``goldfold demo --once`` as a newcomer runs it, then again: the second start shows what is done, and runs nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from api.demo.pyrit import DemoDataError, fetch
from tests.studio_server import ROOT, new_data_dir, studio_venv

pytestmark = [pytest.mark.studio, pytest.mark.slow, pytest.mark.timeout(3200)]

DEMO_TIMEOUT_S = 1500


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    try:
        fetch(tmp_path)
    except DemoDataError as error:
        pytest.skip(f"the demo's content is not here: {error}")
    shutil.copytree(new_data_dir(studio_venv()), tmp_path / "studio")
    return tmp_path


def demo(folder: Path) -> dict[str, Any]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GOLDFOLD_")}
    command = [str(Path(sys.executable).parent / "goldfold"), "--data-dir", str(folder), "demo", "--once", "--json"]
    command += ["--studio-venv", str(studio_venv())]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=DEMO_TIMEOUT_S)
    assert done.returncode == 0, done.stderr
    shown: dict[str, Any] = json.loads(done.stdout)
    return shown


def test_the_demo_runs_and_is_resumed(folder: Path) -> None:
    first = demo(folder)
    assert [row["run"] for row in first["Rounds"]] == ["now", "now"]
    assert all(row["picks"] == row["settled"] + row["waiting"] == 120 for row in first["Rounds"])
    assert {row["lane"] for row in first["Lanes: what was picked, and what became of it"]} == {
        "random",
        "risk",
        "uncertain",
    }
    assert sum(row["items"] for row in first["Golden set"]) > 100
    assert {row["model"] for row in first["Models on the dev partition"]} >= {"demo-model-2"}
    assert any("replay" in note for note in first["notes"])
    told = next(int(note.split()[0]) for note in first["notes"] if "wait for a second person" in note)
    assert told == sum(row["waiting"] for row in first["Rounds"])

    second = demo(folder)
    assert [row["run"] for row in second["Rounds"]] == ["earlier", "earlier"]
    assert second["Golden set"] == first["Golden set"]
    assert second["Models on the dev partition"] == first["Models on the dev partition"]
