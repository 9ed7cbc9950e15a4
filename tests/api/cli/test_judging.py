from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from tests.api.cli.conftest import Terminal
from tests.api.site import HARM, WordGoldfold, gild, score_all, select, settings, stock


@pytest.fixture
def exam(goldfold: Terminal, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """An installation with sealed gold and a trained model ``hate-1``."""
    monkeypatch.setenv("GOLDFOLD_GATE_MARGINS", json.dumps({str(severity): 0.25 for severity in range(5)}))
    monkeypatch.setenv("GOLDFOLD_SEALED_MIN_CELL", "13")
    monkeypatch.setenv("GOLDFOLD_SEALED_BUDGET", "3")
    shares = {"train": 0.3, "calibration": 0.2, "dev": 0.2, "sealed": 0.3}
    site = WordGoldfold(settings(goldfold.folder, partitions=shares))
    stock(site, 150)
    score_all(site)
    select(site, budget=140)
    gild(site)
    site.close()
    assert goldfold("golden", "publish").code == 0
    assert goldfold("train", "head", "--id", "hate-1", "--json").code == 0
    logging.getLogger("dbos").handlers.clear()  # its standard error is that of the set-up
    return goldfold


def test_the_gate_exits_by_its_verdict_and_opens_the_way(exam: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    passed = exam("gate", "hate-1", "--json")
    assert (passed.code, passed.json["verdict"]) == (0, "pass"), passed.out + passed.err
    assert "Questions left to the family 'head on words-1': 2; asked before" in exam("gate", "hate-1").out
    assert exam("train", "head", "--id", "hate-2", "--json").code == 0
    assert "is the champion" in exam("promote", "hate-1").out
    refused = exam("promote", "hate-2")
    assert (refused.code, "run goldfold gate hate-2" in refused.err) == (1, True)
    monkeypatch.setenv("GOLDFOLD_GATE_MARGINS", json.dumps({str(severity): 0.001 for severity in range(5)}))
    unsure = exam("gate", "hate-2")
    assert (unsure.code, "would do" in unsure.out) == (3, True), unsure.out
    assert "is underpowered" in exam("promote", "hate-2").err
    assert exam("promote", "hate-2", "--without-gate").code == 2
    forced = exam("promote", "hate-2", "--without-gate", "--reason", "a drill", "--json")
    assert forced.json["state"] == "champion"
    assert exam("rollback", "--json", "--no-rescore").json["model_id"] == "hate-1"
    assert [row["body"]["verdict"] for row in exam("gates", "--json").json] == ["pass", "underpowered"]
    assert "hate-2" in exam("gates").out
    asked = exam("gates", "--queries", "--json").json
    assert [(one["model_id"], one["is_repeat"]) for one in asked] == [
        ("hate-1", False),
        ("hate-1", True),
        ("hate-2", False),
    ]


def test_a_model_that_misses_everything_fails_the_gate(exam: Terminal) -> None:
    assert exam("promote", "hate-1", "--no-rescore").code == 0
    assert exam("train", "head", "--id", "hate-2", "--json").code == 0
    with exam.opened() as site:
        lines = {HARM: {"threshold": 0.999999, "calibration_version": None}}
        site.ledger.models.set_metrics("hate-2", {"thresholds": lines})
    failed = exam("gate", "hate-2")
    assert (failed.code, "worse than the champion" in failed.out) == (1, True), failed.out + failed.err


def test_figures_are_shown_drawn_and_asked_of_sealed_gold(exam: Terminal) -> None:
    said = exam("evaluate", "hate-1", "--slice", "surface", "--plots", "plots")
    assert said.code == 0, said.err
    assert Path(f"plots/{HARM}.png").is_file()
    assert "On the dev partition" in said.out
    sealed = exam("evaluate", "hate-1", "--sealed")
    assert (sealed.code, "On the sealed partition" in sealed.out) == (0, True)
    assert "Questions left to the family: 2" in sealed.out
    assert exam("evaluate", "hate-1", "--sealed", "--plots", "x").code == 2
    assert exam("evaluate").code == 2
    file = exam.file("theirs.csv", "external_id,policy,probability\n" + f"post-1,{HARM},2\n")
    refused = exam("evaluate", "--predictions", file)
    assert (refused.code, "row 2: probability: '2'" in refused.err) == (1, True)
    rows = "".join(f"post-{n},{HARM},{0.9 if n % 2 else 0.1}\n" for n in range(150))
    whole = exam.file("ok.csv", "external_id,policy,probability\n" + rows)
    told = exam("evaluate", "--predictions", whole, "--json").json
    assert told["slices"][0]["figures"]["recall"]["events"] > 0
    assert told["model"]["family"] == "external"


def test_a_line_is_drawn_and_taken_back(exam: Terminal) -> None:
    said = exam("threshold", "hate-1", "--policy", HARM, "--miss-rate", "0.3")
    assert said.code == 0, said.err
    assert "with 95% confidence" in said.out
    assert exam("threshold", "hate-1", "--policy", HARM, "--clear").code == 0
    assert exam("threshold", "hate-1", "--policy", HARM).code == 2
    short = exam("threshold", "hate-1", "--policy", HARM, "--miss-rate", "0.01")
    assert (short.code, "takes 299 violating labels or more" in short.err) == (1, True)
