from __future__ import annotations

from pathlib import Path

import pytest

from tests.api.cli.conftest import Terminal
from tests.api.site import HARM, gild, score_all, select, stock


@pytest.fixture
def gold(goldfold: Terminal, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("GOLDFOLD_PARTITIONS", '{"train": 0.6, "dev": 0.4}')
    with goldfold.opened() as site:
        stock(site)
        score_all(site)
        select(site, budget=30)
        gild(site)
    return goldfold


def test_from_gold_to_an_export_and_a_model(gold: Terminal) -> None:
    counted = gold("golden", "status", "--json").json
    assert sum(row["items"] for row in counted) == 30
    assert {row["policy"] for row in counted} == {HARM}
    assert HARM in gold("golden", "status").out

    assert gold("golden", "regroup", "--json").json == {"merged": 0, "rows": 0}
    assert gold("golden", "regroup").out.startswith("Merged 0 groups into others; 0 rows")

    published = gold("golden", "publish", "--json").json
    assert (published["version"], published["parent"]) == ("1.0.0", None)
    assert [one["version"] for one in gold("golden", "list", "--json").json] == ["1.0.0"]
    assert "1.0.0" in gold("golden", "list").out
    assert gold("golden", "verify", "1.0.0", "--json").json == {"version": "1.0.0", "rows": 30, "intact": True}
    assert gold("golden", "verify", "1.0.0").out == "Version 1.0.0: 30 rows, every hash matches\n"

    said = gold("golden", "export", "1.0.0", "--to", "train", "--format", "jsonl", "--json")
    assert said.code == 0, said.err
    assert Path("train/data/train.jsonl").is_file()
    assert said.json["rows"] == said.json["counts"]["train"]
    said = gold("golden", "export", "1.0.0", "--to", "train")
    assert (said.code, "is there already" in said.err) == (1, True)
    assert gold("golden", "export", "1.0.0", "--partition", "dev").out.startswith("Exported ")

    trained = gold("train", "head", "--id", "hate-1", "--json").json
    assert (trained["model_id"], trained["evaluation"]["golden_version"]) == ("hate-1", "1.0.0")
    assert "Candidate hate-1" in gold("train", "head", "--id", "hate-1").out
    judged = gold("evaluate", "hate-1", "--json").json
    assert {name: judged[name] for name in trained["evaluation"]} == trained["evaluation"]
    assert "AUPRC" in gold("evaluate", "hate-1").out
    assert gold("promote", "hate-1", "--json").json["state"] == "champion"
    assert gold("promote", "hate-1").out.startswith("hate-1 is the champion")
    assert [one["model_id"] for one in gold("models", "--json").json] == ["hate-1"]
    assert "hate-1" in gold("models").out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["golden", "publish", "--bump", "huge"], "bump: 'huge'"),
        (["golden", "publish"], "no active item yet"),
        (["golden", "export", "9.9.9"], "9.9.9"),
        (["golden", "export", "1.0.0", "--format", "xml"], "format: 'xml'"),
        (["golden", "export", "1.0.0", "--partition", "sealed"], "sealed is never exported"),
        (["train", "head"], "no golden version yet"),
        (["train", "head", "--golden", "9.9.9"], "9.9.9"),
        (["evaluate", "nobody"], "nobody"),
        (["promote", "nobody"], "nobody"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, list) else "",
)
def test_what_cannot_be_done_is_said(goldfold: Terminal, arguments: list[str], says: str) -> None:
    said = goldfold(*arguments)
    assert (said.code, says in said.err, said.out) == (1, True, ""), said.err


def test_tampering_is_named(gold: Terminal) -> None:
    manifest = Path(gold("golden", "publish", "--json").json["manifest_path"])
    manifest.chmod(0o644)
    manifest.write_text(manifest.read_text().replace("violates", "allowed", 1))
    said = gold("golden", "verify", "1.0.0", "--json")
    assert (said.code, said.json["error"]) == (1, "integrity-error")


def test_a_plan_names_the_gaps_and_opens_a_round(gold: Terminal) -> None:
    plan = gold("golden", "plan", "--json").json
    assert plan["partition"] == "dev"
    assert sum(row["have"] for row in plan["strata"]) > 0
    assert "need" in gold("golden", "plan", "--half-width", "0.05").out
    shown = gold("golden", "plan", "--open", "--budget", "5", "--dry-run", "--json")
    assert shown.code == 0, shown.err
    assert len(shown.json["selection"]["picks"]) == 5
    said = gold("golden", "plan", "--partition", "sealed")
    assert (said.code, "not counted by answer" in said.err) == (1, True)
