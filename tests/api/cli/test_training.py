"""Fine-tuning by the command line, end to end: from seeded gold to a champion that scores."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from api import lazy_scorers, scorers
from api.cli.output import job_bar
from api.composition import Goldfold
from api.jobs.records import Job
from labeling.score_run import ScoreRun
from labeling.scorebook import read_sheet
from scoring.finetuned import Finetuned
from tests.api.cli.conftest import Terminal, WordModels
from tests.api.site import HARM, WordGoldfold, gild, score_all, select, settings, stock
from tests.scoring.lessons import made_base


class TunedModels(WordModels):
    """The word encoder, and real classifiers."""

    build_classifier = staticmethod(scorers.build_classifier)
    build_finetuned = staticmethod(scorers.build_finetuned)


@pytest.fixture
def gold(goldfold: Terminal, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("GOLDFOLD_DEVICE", "cpu")
    monkeypatch.setattr(lazy_scorers, "models", TunedModels)
    with closing(WordGoldfold(settings(goldfold.folder, partitions={"train": 0.5, "dev": 0.5}))) as site:
        stock(site)
        score_all(site)
        select(site, budget=40)  # so that dev has enough to say when to stop
        gild(site)
    assert goldfold("golden", "publish").code == 0
    return goldfold


@pytest.mark.slow
def test_from_gold_to_a_fine_tuned_champion(gold: Terminal, tmp_path: Path) -> None:
    base = str(made_base(tmp_path / "tiny"))
    given = ("train", "finetune", "--base", base, "--id", "hate-8", "--epochs", "2", "--learning-rate", "0.002")
    said = gold(*given, "--step-tokens", "64", "--json")
    assert said.code == 0, said.err
    made = said.json
    assert (made["model_id"], made["report"][HARM]["trained"]) == ("hate-8", True)
    assert made["evaluation"]["policies"][HARM]["n"] > 0
    again = gold(*given, "--step-tokens", "64")
    assert again.out.startswith(f"Candidate hate-8 ({made['version']}) on golden 1.0.0")
    assert "taken by another job" in gold(*given, "--step-tokens", "65").err
    judged = gold("evaluate", "hate-8", "--json").json
    assert judged | made["evaluation"] == judged
    assert "finetuned" in gold("models").out
    assert gold("promote", "hate-8", "--json").json["state"] == "champion"
    assert "Verdict: insufficient" in gold("drift").out  # too few items for a window

    with closing(Goldfold(settings(gold.folder, device="cpu"))) as site:
        scorer = site.scorer()
        assert scorer.embedding_version == site.encoder.version
        ScoreRun(site.lake, scorer, 100).go()
        sheet = read_sheet(site.lake, scorer, site.lake.ids())
        classifier = scorers.build_classifier(site.settings, Finetuned.load(site.models_dir / "hate-8"))
        texts = site.lake.take(list(sheet.ids), ["text"])["text"].to_pylist()
        own = classifier.score(sheet.ids, texts).probabilities[:, classifier.policies.index(HARM)]
        told = sheet.probabilities[:, sheet.policies.index(HARM)].tolist()
        assert told == pytest.approx(own.tolist(), abs=1e-6)  # a batch of another size may differ in its last bits


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--base", "nowhere/at/all"], "no golden version yet"),
        (["--base", "nowhere/at/all", "--golden", "1.0.0"], "does not exist"),
        (["--base", "openai-moderation", "--golden", "1.0.0"], "names no text model"),
        (["--base", "default", "--golden", "1.0.0", "--method", "half"], "method 'half'"),
        (["--base", "default", "--golden", "1.0.0", "--epochs", "0"], "epochs must be at least 1"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, list) else "",
)
def test_what_cannot_be_fine_tuned_is_said_before_a_job_is(goldfold: Terminal, arguments: list[str], says: str) -> None:
    said = goldfold("train", "finetune", *arguments)
    assert (said.code, says in said.err, said.out) == (1, True, ""), said.err


def test_the_bar_tells_loss_and_metric(capsys: pytest.CaptureFixture[str]) -> None:
    told: dict[str, Any] = {"stage": "train", "done": 3, "total": 9, "loss": 0.5, "dev_loss": 0.25, "dev_auprc": 1.0}
    with job_bar("finetune") as watch:
        watch(Job("j", "finetune", "running", told, None, None, 0.0, 0.0))
    assert "finetune: train (loss 0.5000, dev loss 0.2500, dev auprc 1.0000) 3/9" in capsys.readouterr().err
