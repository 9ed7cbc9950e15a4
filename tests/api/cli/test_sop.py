"""The commands on SOPs, from lint to a replay of gold."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copytree

import pytest

from configs.settings import Settings
from labeling.records import Outcome
from tests.api.cli.conftest import Terminal
from tests.api.site import HARM, gild, score_all, select, stock

RIGHT = {Outcome.VIOLATES: {"group": "yes", "against": "yes", "quoted": "no"}, Outcome.ALLOWED: {"group": "no"}}


@pytest.fixture
def gilded(goldfold: Terminal, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Thirty golden items, published."""
    monkeypatch.setenv("GOLDFOLD_PARTITIONS", '{"train": 0.6, "dev": 0.4}')
    with goldfold.opened() as site:
        stock(site)
        score_all(site)
        select(site, budget=30)
        gild(site)
    assert goldfold("golden", "publish").code == 0
    return goldfold


def test_trees_are_listed_linted_and_compiled(goldfold: Terminal, tmp_path: Path) -> None:
    rows = goldfold("sop", "list", "--json").json
    assert [(row["sop"], row["errors"]) for row in rows] == [(HARM, 0)]
    assert "no_examples" in goldfold("sop", "lint", HARM).out
    assert f"tree {rows[0]['tree_hash']}" in goldfold("sop", "compile", HARM, "prompt").out
    done = goldfold("sop", "compile", HARM, "guide.pdf", "--out", str(tmp_path / "guide.pdf"))
    assert done.code == 0, done.err
    assert (tmp_path / "guide.pdf").read_bytes().startswith(b"%PDF-")
    assert goldfold("sop", "compile", HARM, "guide.pdf").code == 2
    assert "is not one of form, prompt" in goldfold("sop", "compile", HARM, "poem").err
    assert "has no file in" in goldfold("sop", "lint", "nothing").err


def test_lint_exits_1_where_the_tree_is_of_another_policy(
    goldfold: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copytree(Settings().sops_dir, tmp_path / "sops")
    path = folder / f"{HARM}.yaml"
    path.write_text(path.read_text().replace("policy_version: 1.0.0", "policy_version: 0.1.0"))
    monkeypatch.setenv("GOLDFOLD_SOPS_DIR", str(folder))
    done = goldfold("sop", "lint", HARM)
    assert (done.code, "error: hate_speech: the tree is for hate_speech 0.1.0" in done.out) == (1, True)
    path.write_text(path.read_text().replace("policy: hate_speech\n", "policy: nowhere\n"))
    assert [row["errors"] for row in goldfold("sop", "list", "--json").json] == [None]  # not "none found"
    assert "is not in force" in goldfold("sop", "lint", HARM).err


def test_gold_is_replayed_from_a_file_of_answers(gilded: Terminal, tmp_path: Path) -> None:
    tasks = tmp_path / "tasks.json"
    assert gilded("sop", "tasks", HARM, "--out", str(tasks)).code == 0
    ids = {task["data"]["item_id"] for task in json.loads(tasks.read_text())}
    with gilded.opened() as site:
        gold = {item.item_id: item.outcome for item in site.ledger.golden.items() if item.item_id in ids}
    assert len(gold) == len(ids) > 10
    answers = tmp_path / "answers.jsonl"
    rows = [
        {"item_id": item_id, "person": person, "step": step, "answer": says}
        for item_id, outcome in gold.items()
        for person in ("ann", "bob")
        for step, says in RIGHT[outcome].items()
    ]
    answers.write_text("\n".join(json.dumps(row) for row in rows))
    told = gilded("sop", "replay", HARM, str(answers), "--json").json
    assert (told["right"]["value"], told["worst"], told["golden_version"]) == (1.0, "", "1.0.0")
    shown = gilded("sop", "replay", HARM, str(answers)).out
    assert "licence: conditional" in shown
    answers.write_text(json.dumps(rows[0] | {"answer": "perhaps"}))
    assert "row 1: answer: step" in gilded("sop", "replay", HARM, str(answers)).err
