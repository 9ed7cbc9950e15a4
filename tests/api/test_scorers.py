"""The scorers that the settings name, with real weights: this is where torch comes in."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.composition import Goldfold
from api.scorers import BUILDERS, describe_device, describe_model
from configs.errors import SettingsError
from configs.scorer_kinds import KINDS
from configs.settings import PACKAGED_POLICIES, Settings
from labeling.policies import read_policies
from scoring.errors import ModelNotFound, ScoringError
from tests.scoring.tiny import write_model

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


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="nowhere"):
        describe_model(Settings(data_dir=tmp_path, scorer=str(tmp_path / "nowhere.yaml")), POLICIES)
    with pytest.raises(ModelNotFound):
        describe_model(Settings(data_dir=tmp_path, encoder=str(tmp_path / "nowhere")), POLICIES)


def test_a_device() -> None:
    assert describe_device("cpu") == "cpu"
    with pytest.raises(ScoringError):
        describe_device("nonsense")


def test_each_kind_has_a_builder() -> None:
    assert set(BUILDERS) == {kind for kind in KINDS.values() if kind.reads == "text"}


def test_a_scorer_of_images_is_none_of_texts(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="kind opennsfw reads images; name a scorer file for texts here"):
        describe_model(Settings(data_dir=tmp_path, scorer="opennsfw"), POLICIES)


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


def test_an_encoder_of_the_scorer_file(tmp_path: Path) -> None:
    write_model(tmp_path / "model", "bert")
    (tmp_path / "own.yaml").write_text("kind: embedding-head\nmodel: model\nmax_tokens: 16\n")
    settings = Settings(data_dir=tmp_path, device="cpu", scorer=str(tmp_path / "own.yaml"))
    assert describe_model(settings, POLICIES).startswith("encoder model ")
    goldfold = Goldfold(settings)
    assert goldfold.learns
    assert goldfold.encoder.name == "model"
    goldfold.close()
