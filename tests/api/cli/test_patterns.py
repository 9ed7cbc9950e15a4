from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from api import patterns
from labeling.insights.judged_answers import production_record
from tests.api.cli.conftest import Terminal
from tests.figures import assert_whole


@pytest.fixture
def mined(goldfold: Terminal, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A queue that loses decisions, and a person who takes one rule for another."""
    common: dict[str, Any] = {"policy": "harm", "policy_version": "1.0.0", "gold": ("violates", "slur")}
    records = [
        production_record(
            item=f"post-{n}",
            given=("allowed", None) if n < 60 else ("violates", "threat" if 150 < n < 190 else None),
            tool=f"queue-{n // 100}",
            person="ann" if 150 < n < 200 else f"p{n % 7}",
            **common,
        )
        for n in range(600)
    ]

    monkeypatch.setattr(patterns, "judged_decisions", lambda *_: records)
    return goldfold


def test_list_show_and_export(mined: Terminal, tmp_path: Path) -> None:
    told = mined("patterns", "list", "--json").json
    kinds = {(one["cohort"], one["level"]): one for one in told["patterns"]}
    assert {("tool", "queue-0"), ("person", "ann")} <= set(kinds)
    shown = mined("patterns", "list").out
    assert "harm:violates/slur is taken for harm:allowed" in shown.replace("\n", " ") or "harm:violates/slur" in shown
    queue = kinds["tool", "queue-0"]
    page = mined("patterns", "show", queue["id"]).out
    assert "60 of 100 decisions are wrong so" in page
    assert "Examples: post-" in page
    whole = mined("patterns", "show", queue["id"], "--json").json
    assert whole["rate"]["items"] == f"/v1/patterns/{queue['id']}/items"
    assert_whole(whole, 4)
    assert mined("patterns", "show", kinds["person", "ann"]["id"], "--json").json["lift"] is None
    file = tmp_path / "cards.json"
    said = mined("patterns", "export", str(file), "--without-people", "--json").json
    written = json.loads(file.read_text(encoding="utf-8"))["patterns"]
    assert {len(one["external_ids"]) for one in written if one["id"] == queue["id"]} == {60}
    assert said == {"file": str(file), "patterns": len(written)}
    assert ("person", "ann") not in {(one["cohort"], one["level"]) for one in written}


def test_what_cannot_be_done_is_said(mined: Terminal) -> None:
    said = mined("patterns", "show", "nobody")
    assert (said.code, "no pattern has the id 'nobody' now" in said.err) == (1, True)
    said = mined("patterns", "export", "patterns.csv")
    assert (said.code, "ends in .json or .md" in said.err) == (1, True)
