"""The commands that the documentation promises exist, and the pins they install from are exact."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROMISED = {"setup", "demo", "run", "test", "lint", "format", "bench", "pins", "clean", "help"}
EXACT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.!]+")  # no URL, no path, no local version such as +cpu


def make(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=60
    )


def pins(name: str) -> dict[str, str]:
    lines = (ROOT / ".ci" / name).read_text(encoding="utf-8").splitlines()
    assert all(EXACT.fullmatch(line) for line in lines)
    found = dict(line.lower().replace("_", "-").split("==") for line in lines)
    assert len(found) == len(lines)
    return found


def test_help_names_every_command() -> None:
    told = make("help").stdout
    assert {line.split()[1] for line in told.splitlines()} == PROMISED
    assert make().stdout == told


@pytest.mark.parametrize("target", sorted(PROMISED - {"help"}))
def test_every_command_can_be_planned(target: str) -> None:
    assert make("-n", target).returncode == 0


def test_the_demo_can_end_after_its_report() -> None:
    assert "goldfold demo --once" in make("-n", "demo", "ONCE=1").stdout
    assert "--once" not in make("-n", "demo", "ONCE=").stdout


def test_an_old_python_is_refused_with_the_cure(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    old.chmod(0o755)
    (tmp_path / "Makefile").write_bytes((ROOT / "Makefile").read_bytes())
    (tmp_path / ".ci").symlink_to(ROOT / ".ci")
    (tmp_path / "pyproject.toml").touch()
    done = make("-C", str(tmp_path), "setup", PYTHON=str(old))
    assert done.returncode != 0
    assert "Goldfold needs Python 3.11 or newer" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_the_pins_are_exact_and_cover_what_is_asked_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = project["dependencies"] + [each for extra in project["optional-dependencies"].values() for each in extra]
    names = {re.split(r"[\[<>=!~ ;]", line, maxsplit=1)[0].lower().replace("_", "-") for line in asked}
    assert names <= set(pins("pins.txt"))
    assert pins("pins-studio.txt")["label-studio"] == "1.23.2"
    assert "moto" in pins("pins-moto.txt")
    assert {"small-text", "scikit-activeml"} <= set(pins("pins-peers.txt"))
    assert "torch" not in pins("pins-peers.txt")
    assert pins("pins-studio.txt")["label-studio-sdk"] == pins("pins.txt")["label-studio-sdk"]


@pytest.mark.parametrize("script", [".ci/run", ".ci/pip-install"])
def test_scripts_are_bash_and_may_be_run(script: str) -> None:
    path = ROOT / script
    assert os.access(path, os.X_OK)
    assert "set -euo pipefail" in path.read_text(encoding="utf-8")
    assert subprocess.run(["bash", "-n", str(path)], check=False).returncode == 0


def test_ci_runs_lint_and_the_documented_test_command() -> None:
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert lines.index("make lint") < lines.index("make test ARGS=--hypothesis-profile=ci")


@pytest.fixture
def fake_pip(tmp_path: Path) -> Path:
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    python = tmp_path / "venv" / "bin" / "python"
    python.write_text('#!/bin/bash\nprintf "$SAYS"; exit "$ENDS"\n', encoding="utf-8")
    python.chmod(0o755)
    return tmp_path / "venv"


@pytest.mark.parametrize(("ends", "shown"), [("0", ""), ("3", "ERROR: no such thing")])
def test_pip_is_quiet_unless_it_fails(fake_pip: Path, ends: str, shown: str) -> None:
    says = "Collecting a\\nProgress 1 of 2\\nERROR: no such thing\\nInstalling collected packages: a, b\\n"
    done = subprocess.run(
        [str(ROOT / ".ci" / "pip-install"), str(fake_pip), "a"],
        env={**os.environ, "SAYS": says, "ENDS": ends}, capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert (done.returncode != 0) == (ends != "0")
    assert done.stdout == "  installing 2 packages\n"
    assert ("pip could not install" in done.stderr) == bool(shown)
    assert shown in done.stderr
    assert "Progress" not in done.stderr
