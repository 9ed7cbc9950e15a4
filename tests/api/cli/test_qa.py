from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.api.cli.conftest import Terminal
from tests.api.routes.test_qa import DAY, rows
from tests.api.site import stock


def test_from_a_file_of_decisions_to_a_report(
    goldfold: Terminal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with goldfold.opened() as opened:
        stock(opened, 20)
    file = goldfold.file("d.jsonl", "\n".join(map(json.dumps, rows(20))))
    assert "20 would be added" in goldfold("decisions", "import", file, "--dry-run").out
    assert "20 added" in goldfold("decisions", "import", file).out
    assert goldfold("decisions", "import", file, "--json").json["already_there"] == 20
    days = goldfold("decisions", "days", "--until", DAY, "--days", "1")
    assert (days.code, "forum" in days.out) == (0, True)
    assert "goldfold qa sample" in goldfold("qa", "report", "--day", DAY).err
    qa_file = tmp_path / "qa.yaml"
    qa_file.write_text("projects: {forum: 0.9}")
    monkeypatch.setenv("GOLDFOLD_QA_FILE", str(qa_file))
    dry = goldfold("qa", "sample", "--day", DAY, "--budget", "8", "--dry-run")
    assert "8 of 20 decisions would be drawn" in dry.out
    said = goldfold("qa", "sample", "--day", DAY, "--budget", "8")
    assert "8 of 20 decisions are drawn" in said.out
    assert f"Round qa-{DAY}-hate_speech-1.0.0" in said.out
    assert "was drawn" in goldfold("qa", "sample", "--day", DAY).out
    report = goldfold("qa", "report", "--day", DAY)
    assert "0 judged, 8 waiting" in report.out
    origin = "is judged yet; golden unpublished; policy hate_speech 1.0.0"
    assert origin in " ".join(report.out.split())
    assert goldfold("qa", "report", "--day", DAY, "--json").json["projects"][0]["target"] == 0.9
    assert goldfold("decisions", "rename", "mod-17").out == "20 decisions changed\n"
    assert goldfold("decisions", "import", file, "--json").json["already_there"] == 20
