"""The scorers that the settings name, with real weights: this is where torch comes in."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from structlog.testing import capture_logs

from api import scorers
from api.composition import Goldfold
from api.scorers import BUILDERS, build_encoder, describe_device, describe_model
from configs.errors import SettingsError
from configs.scorer_files import read_scorer
from configs.scorer_kinds import KINDS, GuardLLMFile, HFText
from configs.settings import PACKAGED_POLICIES, Settings
from labeling.policies import read_policies
from scoring import hf_classifier
from scoring.cascade import Cascade
from scoring.cascade_files import save_cascade
from scoring.cascade_fit import Fitted
from scoring.clearing import Clearing
from scoring.encoder import SentenceEncoder
from scoring.errors import ModelNotFound, ScoringError
from scoring.guard_prompts import STYLES
from scoring.int8_encoder import Int8Encoder
from scoring.model_files import locate
from tests.scoring.stages import tiny_stage
from tests.scoring.test_cascade_report import REPORT
from tests.scoring.tiny import write_model
from tests.scoring.tiny_llm import write_llm

pytestmark = pytest.mark.slow
POLICIES = read_policies(PACKAGED_POLICIES)


def test_by_default_the_policies_texts_rank(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, device="cpu")
    assert describe_model(settings, POLICIES).endswith("384 dimensions")
    goldfold = Goldfold(settings)
    scores = goldfold.scorer().score(["a"], ["some words"])
    assert set(scores.policies) == set(goldfold.policies)
    assert scores.embeddings.shape == (1, 384)
    goldfold.close()


def test_a_scorer_file_names_a_classifier(tmp_path: Path) -> None:
    write_model(tmp_path / "model", "bert")
    file = tmp_path / "scorer.yaml"
    file.write_text("kind: hf-text\nmodel: model\nlabels: {insult: hate_speech, threat: violence}\nmax_tokens: 64\n")
    settings = Settings(data_dir=tmp_path, device="cpu", scorer=str(file))
    with pytest.raises(SettingsError, match=r"scorer.yaml: max_tokens must lie in 3..32 for model, not 64"):
        describe_model(settings, POLICIES)
    file.write_text(file.read_text().replace("64", "32"))
    assert describe_model(settings, POLICIES).endswith("for hate_speech, violence")
    goldfold = Goldfold(settings)
    assert goldfold.scorer().policies == ("hate_speech", "violence")
    goldfold.close()


def test_a_cpu_may_be_asked_to_multiply_in_bfloat16(tmp_path: Path) -> None:
    text = ["a text whose vector tells in what it was multiplied"]
    found = [
        build_encoder(Settings(data_dir=tmp_path, device="cpu", cpu_precision=precision)).encode(["a"], text).vectors
        for precision in ("float32", "bfloat16")
    ]
    assert 0 < np.abs(found[0].astype(float) - found[1].astype(float)).max() < 0.005


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="nowhere"):
        describe_model(Settings(data_dir=tmp_path, scorer=str(tmp_path / "nowhere.yaml")), POLICIES)
    with pytest.raises(ModelNotFound):
        describe_model(Settings(data_dir=tmp_path, encoder=str(tmp_path / "nowhere")), POLICIES)


def test_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scorers, "multiplies_bfloat16", lambda: False)
    assert describe_device("cpu") == "cpu"
    monkeypatch.setattr(scorers, "multiplies_bfloat16", lambda: True)
    assert describe_device("cpu") == f"cpu ({scorers.BFLOAT16})"
    with pytest.raises(ScoringError):
        describe_device("nonsense")


def test_each_kind_has_a_builder() -> None:
    assert set(BUILDERS) == {kind for kind in KINDS.values() if kind.reads == "text"}


def test_a_scorer_of_images_is_none_of_texts(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="kind opennsfw reads images; name a scorer file for texts here"):
        describe_model(Settings(data_dir=tmp_path, scorer="opennsfw"), POLICIES)


def test_a_guard_model_judges_by_the_policy_files(tmp_path: Path) -> None:
    write_llm(tmp_path / "model")
    file = tmp_path / "guard.yaml"
    file.write_text("kind: guard-llm\nmodel: model\nstyle: shieldgemma\npolicies: [violence, hate_speech]\n")
    settings = Settings(data_dir=tmp_path, device="cpu", scorer=str(file))
    goldfold = Goldfold(settings)
    assert not goldfold.learns
    assert goldfold.judged() == {"violence", "hate_speech"}
    scores = goldfold.scorer().score(["a"], ["some words"])
    assert scores.policies == ("violence", "hate_speech")
    assert scores.embeddings.shape == (1, 32)
    goldfold.close()
    file.write_text("kind: guard-llm\nmodel: model\n")
    assert describe_model(settings, POLICIES).endswith(f"for {', '.join(POLICIES)}")
    changed = {name: policy.model_copy(update={"definition": "Other words."}) for name, policy in POLICIES.items()}
    assert describe_model(settings, changed) != describe_model(settings, POLICIES)


def test_a_scorer_file_may_name_every_style() -> None:
    assert set(get_args(GuardLLMFile.model_fields["style"].annotation)) == set(STYLES)


def test_an_ensemble_of_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "both.yaml").write_text("kind: ensemble\nmembers: [both.yaml, embedding-head]\n")
    with pytest.raises(SettingsError, match=r"both.yaml: a scorer file may not be a part of itself"):
        describe_model(Settings(data_dir=tmp_path, device="cpu", scorer=str(tmp_path / "both.yaml")), POLICIES)


def test_an_ensemble_of_files_is_one_scorer(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_model(tmp_path / name, "bert")
        text = f"kind: hf-text\nmodel: {name}\nlabels: {{insult: hate_speech}}\nmax_tokens: 32\n"
        (tmp_path / f"{name}.yaml").write_text(text)
    (tmp_path / "both.yaml").write_text("kind: ensemble\nmembers: [one.yaml, two.yaml]\n")
    settings = Settings(data_dir=tmp_path, device="cpu", scorer=str(tmp_path / "both.yaml"))
    goldfold = Goldfold(settings)
    assert goldfold.judged() == {"hate_speech"}
    assert not goldfold.learns
    assert goldfold.scorer().score(["a"], ["some words"]).policies == ("hate_speech",)
    goldfold.close()
    (tmp_path / "odd.yaml").write_text("kind: ensemble\nmembers: [one.yaml, embedding-head]\n")
    with pytest.raises(SettingsError, match=r"odd.yaml: member 2 scores"):
        describe_model(settings.model_copy(update={"scorer": str(tmp_path / "odd.yaml")}), POLICIES)


def test_a_classifier_under_dropout_is_a_scorer(tmp_path: Path) -> None:
    write_model(tmp_path / "one", "bert")
    (tmp_path / "one.yaml").write_text("kind: hf-text\nmodel: one\nlabels: {insult: hate_speech}\nmax_tokens: 32\n")
    file = tmp_path / "unsure.yaml"
    file.write_text("kind: mc-dropout\nscorer: one.yaml\npasses: 3\n")
    goldfold = Goldfold(Settings(data_dir=tmp_path, device="cpu", scorer=str(file)))
    assert goldfold.judged() == {"hate_speech"}
    told = goldfold.scorer().score(["a"], ["some words"]).disagreement
    assert told is not None
    assert told.shape == (1, 1)
    goldfold.close()
    file.write_text("kind: mc-dropout\nscorer: embedding-head\n")
    with pytest.raises(SettingsError, match=r"unsure.yaml: scorer: embedding-head is of kind embedding-head"):
        describe_model(Settings(data_dir=tmp_path, device="cpu", scorer=str(file)), POLICIES)


def test_the_packaged_ensemble_is_built_from_its_two_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-ins have the labels that each packaged file maps, so a file that does not fit the other shows here."""
    folders = {}
    for name, architecture in (("dynabench-hate", "roberta"), ("multilingual-toxicity", "distilbert")):
        file = read_scorer(name)
        assert isinstance(file, HFText)
        folders[file.model] = write_model(tmp_path / name, architecture, labels=["neutral", *file.labels])
    monkeypatch.setattr(hf_classifier, "locate", lambda model, _revision: locate(folders[model]))
    settings = Settings(data_dir=tmp_path, device="cpu", scorer="hate-ensemble", max_tokens=32)
    goldfold = Goldfold(settings)
    scorer = goldfold.scorer()
    assert set(scorer.policies) == goldfold.judged()
    found = scorer.score(["a", "b"], ["some words", "bad words"])
    assert found.ids == ("a", "b")
    assert found.disagreement is not None
    assert found.disagreement.max() > 0
    goldfold.close()


def test_an_encoder_of_the_scorer_file(tmp_path: Path) -> None:
    write_model(tmp_path / "model", "bert")
    (tmp_path / "own.yaml").write_text(
        "kind: embedding-head\nmodel: model\nmax_tokens: 16\nprompt: 'bad dog '\nlong_text: cut\n"
    )
    settings = Settings(data_dir=tmp_path, device="cpu", scorer=str(tmp_path / "own.yaml"))
    assert describe_model(settings, POLICIES).startswith("encoder model ")
    goldfold = Goldfold(settings)
    assert goldfold.learns
    expected = SentenceEncoder(tmp_path / "model", device="cpu", max_tokens=16, prompt="bad dog ", long_text="cut")
    assert (goldfold.encoder.name, goldfold.encoder.version) == ("model", expected.version)
    goldfold.close()


def test_an_encoder_in_int8_keeps_its_graph_in_the_data_folder(tmp_path: Path) -> None:
    write_model(tmp_path / "model", "bert")
    (tmp_path / "own.yaml").write_text("kind: embedding-head\nmodel: model\nmax_tokens: 16\nruntime: onnx-int8\n")
    settings = Settings(data_dir=tmp_path / "data", device="cpu", scorer=str(tmp_path / "own.yaml"))
    goldfold = Goldfold(settings)
    assert isinstance(goldfold.encoder, Int8Encoder)
    assert goldfold.learns
    assert goldfold.scorer().score(["a"], ["some words"]).ids == ("a",)
    goldfold.close()
    plain = SentenceEncoder(tmp_path / "model", device="cpu", max_tokens=16)
    assert [path.name for path in (tmp_path / "data" / "models").iterdir()] == [f"onnx-{plain.version}-int8.onnx"]


def test_a_cascade_stands_before_the_scorer_it_was_fitted_to(tmp_path: Path) -> None:
    write_model(tmp_path / "model", "bert")
    file = tmp_path / "scorer.yaml"
    file.write_text("kind: hf-text\nmodel: model\nlabels: {insult: hate_speech, threat: violence}\nmax_tokens: 32\n")
    goldfold = Goldfold(Settings(data_dir=tmp_path, device="cpu", scorer=str(file), cascade="auto"))
    with capture_logs() as logs:
        full = goldfold.scorer()
    assert full is goldfold.full_scorer()
    assert "goldfold cascade fit" in logs[0]["event"]
    tokenizer = (tmp_path / "model" / "tokenizer.json").read_text(encoding="utf-8")
    clearing = Clearing(full.policies, (0.5, 0.5), (1.0, 1.0), 0.0, 0.01, 0, full.version)
    fitted = Fitted(tiny_stage(tokenizer, full.policies), clearing, REPORT)
    save_cascade(fitted, goldfold.models_dir / "cascade-1")
    cascade = goldfold.scorer()
    assert isinstance(cascade, Cascade)
    assert cascade.full is full
    assert cascade.score(["a"], ["a fox"]).ids == ("a",)
    goldfold.close()
    named = Goldfold(Settings(data_dir=tmp_path, device="cpu", scorer=str(file), cascade=str(tmp_path / "nowhere")))
    with pytest.raises(ModelNotFound, match="goldfold cascade fit"):
        named.scorer()
    named.close()
