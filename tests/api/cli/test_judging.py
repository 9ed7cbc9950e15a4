from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from tests.api.cli.conftest import Terminal
from tests.api.site import HARM, WordGoldfold, gild, score_all, select, settings, stock
from tests.judge_service import chat_service


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


def test_others_than_models_are_judged_priced_and_ruled_on(exam: Terminal) -> None:
    with chat_service() as (url, service):
        lines = f"url: {url}\nmodel: m\nallow_content: true\nprivate: true\npolicies: [{HARM}]\nrepeats: 2\n"
        gpt = exam.file("gpt.yaml", lines + "per_million_in: 1000\n")
        dry = exam("evaluate", "--endpoint", gpt, "--limit", "14", "--dry-run")
        assert (dry.code, "28 calls for 14 pairs of item and policy; 0 answers are kept" in dry.out) == (0, True), dry
        assert service.seen == []
        told = exam("evaluate", "--endpoint", gpt, "--limit", "14")
        assert (told.code, len(service.contents)) == (0, 28), told.err
        assert "Answers: 28 read (0 of them context_missing); 0 unreadable, 0 refused, 0 cut off" in told.out
        assert "Stability, hate_speech: 1.000" in told.out
        assert "All of it: 28 answers, 2800 tokens in, 280 out, cost 2.8000" in told.out
        again = exam("evaluate", "--endpoint", gpt, "--limit", "14", "--json").json
        assert (again["beside"]["usage_now"]["calls"], len(service.contents)) == (0, 28)
        refused = exam("gate", "--endpoint", gpt)
        assert (refused.code, "allow_sealed" in refused.err) == (1, True)
        sealed = exam.file("open.yaml", lines + "allow_sealed: true\n")
        verdict = exam("gate", "--endpoint", sealed)
        assert (verdict.code, "Verdict: pass" in verdict.out) == (0, True), verdict.out + verdict.err
        assert "Answers: " in verdict.out
    for wrong in (["--scorer", "x", "--endpoint", "y"], ["hate-1", "--scorer", "x"], ["hate-1", "--limit", "5"]):
        assert exam("evaluate", *wrong).code == 2
    assert exam("gate").code == 2
    assert exam("gate", "hate-1", "--dry-run").code == 2
    missing = exam("evaluate", "--scorer", "nobody")
    assert (missing.code, "there is no such scorer file" in missing.err) == (1, True)
