from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from tests.api.cli.conftest import Terminal
from tests.api.site import HARM, WordGoldfold, gild, score_all, select, settings, stock
from tests.mlflow_server import FakeMlflow, serving


@pytest.fixture
def gold(goldfold: Terminal) -> Terminal:
    with closing(WordGoldfold(settings(goldfold.folder, partitions={"train": 0.5, "dev": 0.5}))) as site:
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
    whole = {"versions": ["1.0.0"], "rows": 30, "events": 31, "intact": True}
    assert gold("golden", "verify", "1.0.0", "--json").json == gold("golden", "verify", "--json").json == whole
    assert gold("golden", "verify", "1.0.0").out == "Version 1.0.0: 30 rows and 31 events, every hash matches\n"
    assert gold("golden", "verify").out.startswith("1 versions: 30 rows")

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


def test_an_item_moves_between_states_and_not_against_the_rules(gold: Terminal) -> None:
    with gold.opened() as site:
        name = site.ledger.golden.items()[0].external_id
    said = gold("golden", "retire", name, "--reason", "old", "--by", "ann", "--dry-run")
    assert said.out == f"{name} under {HARM} would be golden, retired; it was golden, active\n"
    assert gold("golden", "quarantine", name, "--reason", "contested", "--json").json["state"] == "quarantined"
    assert gold("golden", "restore", name, "--reason", "clear", "--policy", HARM).code == 0
    assert gold("golden", "demote", name, "--reason", "doubt", "--json").json["tier"] == "provisional"
    assert gold("golden", "promote", name, "--reason", "two people", "--json").json["tier"] == "golden"
    said = gold("golden", "promote", name, "--reason", "three?")
    assert (said.code, "an anchor needs 3" in said.err) == (1, True)
    with gold.opened() as site:
        actors = [event.actor for event in site.ledger.golden.events(site.ledger.golden.rows_of(name)[0].item_id)]
    assert actors == ["unanimous", "cli", "cli", "cli", "cli"]


def test_two_people_release_a_version(gold: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOLDFOLD_TWO_PERSON_RELEASE", "true")
    monkeypatch.setenv("GOLDFOLD_LEADS", '["ana@example.org", "bo@example.org"]')
    assert "say who you are" in gold("golden", "publish").err
    assert "not among the setting leads" in gold("golden", "publish", "--by", "eve@example.org").err
    said = gold("golden", "publish", "--by", "ana@example.org")
    assert (said.code, "(proposed)" in said.out, "golden approve 1.0.0" in said.out) == (0, True, True)
    assert gold("golden", "list", "--json").json[0]["state"] == "proposed"
    assert "nobody may use it" in gold("golden", "export", "1.0.0").err
    assert "no golden version yet" in gold("train", "head").err
    assert "another lead must approve" in gold("golden", "approve", "1.0.0", "--by", "Ana@example.org").err
    assert gold("golden", "approve", "1.0.0", "--by", "bo@example.org").out == "Golden version 1.0.0 is released\n"
    assert gold("golden", "export", "1.0.0", "--json").code == 0
    assert "is released already" in gold("golden", "reject", "1.0.0", "--by", "bo@example.org").err


def test_versions_side_by_side_their_errata_and_an_items_history(gold: Terminal) -> None:
    gold("golden", "publish")
    with gold.opened() as site:
        name, other = [row.external_id for row in site.ledger.golden.items() if row.partition == "train"][:2]
    gold("golden", "retire", name, "--reason", "old", "--by", "ann")
    assert gold("golden", "publish", "--json").json["version"] == "1.1.0"
    added = gold("golden", "errata", "1.0.0", "--add", other, "--reason", "it quotes", "--json").json
    assert [one["reason"] for one in added] == ["it quotes"]
    assert "it quotes" in gold("golden", "errata", "1.0.0").out
    found = gold("golden", "diff", "1.0.0", "1.1.0", "--json").json
    assert (found["changed"], found["counts"], found["rows"][0]["kinds"]) == (1, {"removed": 1}, ["removed"])
    said = gold("golden", "diff", "1.0.0", "1.1.0")
    assert "retired" in said.out
    assert said.out.startswith("1 rows differ between 1.0.0 and 1.1.0: 1 removed\n")
    history = gold("golden", "blame", name, "--json").json
    assert [event["action"] for event in history["events"]] == ["folded", "retired"]
    assert gold("golden", "blame", other, "--json").json["events"][-1]["action"] == "erratum"
    assert "unanimous" in gold("golden", "blame", name).out
    card = Path(gold("golden", "export", "1.0.0", "--to", "card", "--json").json["folder"]) / "README.md"
    assert "Known to be wrong" in card.read_text()
    assert gold("golden", "verify", "--json").json["events"] == 34


def test_an_item_is_held_then_erased_and_those_who_had_it_answer(gold: Terminal) -> None:
    gold("golden", "publish")
    with gold.opened() as site:
        row = next(row for row in site.ledger.golden.items() if row.partition == "train")
    name = row.external_id
    assert gold("golden", "export", "1.0.0", "--to", "out", "--recipient", "team-b", "--json").code == 0
    assert gold("hold", name, "--reason", "case 114", "--json").json[0]["reason"] == "case 114"
    assert "case 114" in gold("hold").out
    said = gold("erase", name, "--reason", "asked by its author")
    assert (said.code, "under a legal hold by cli: case 114" in said.err) == (1, True)
    assert "in force" not in gold("hold", name, "--release", "--reason", "closed").out
    tried = gold("erase", name, "--reason", "asked", "--dry-run", "--json").json
    assert (tried["dry_run"], tried["erasure"], tried["reach"]["recipients"]) == (True, None, ["team-b"])
    said = gold("erase", name, "--reason", "asked by its author", "--by", "dpo")
    assert (said.code, "Tell them" in said.out, "wait to be deleted" in said.out) == (0, True, True)
    assert not Path("out/README.md").exists()
    assert gold("golden", "list", "--json").json[0]["name"] == "1.0.0+e1"
    assert gold("golden", "verify").code == 0
    (pending,) = gold("erasures", "list", "--pending", "--json").json
    assert (pending["left"], pending["notices"][0]["recipient"]) == ([], "team-b")
    assert gold("erasures", "ack", name, "--recipient", "team-b").out == f"team-b has let {name} go (1 exports)\n"
    assert "team-b" in gold("erasures", "list").out
    assert gold("erasures").out == gold("erasures", "list").out
    assert gold("erasures", "--json").json == gold("erasures", "list", "--json").json
    assert gold("erasures", "--pending", "--json").json == gold("erasures", "list", "--pending", "--json").json
    assert "go behind the command" in gold("erasures", "--json", "list").err
    assert gold("golden", "blame", name, "--json").json["events"][-1]["action"] == "erased"
    assert gold("show", name).code == 1


def test_a_promotion_does_not_wait_for_a_mirror_that_is_away(gold: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeMlflow()
    fake.down_after = 0
    with serving(fake) as url:
        monkeypatch.setenv("GOLDFOLD_MLFLOW_URL", url)
        gold("golden", "publish")
        said = gold("train", "head", "--id", "hate-1")
        assert (said.code, "The mirror is behind" in said.err) == (0, True)
        said = gold("promote", "hate-1", "--no-rescore", "--json")
        assert (said.json["state"], "The mirror is behind" in said.err) == ("champion", True)
        fake.down_after = None
        assert gold("rollback").code == 1
        assert gold("models", "mirror", "--json").json["mirrored"] == ["hate-1"]
    (run,) = fake.runs.values()
    assert run["tags"]["goldfold.stage"] == "champion"
    assert run["params"]["golden_version"] == "1.0.0"
    assert any(name.startswith("dev.") for name in run["metrics"])
