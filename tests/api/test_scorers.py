"""The scorers that the settings name, with real weights: this is where torch comes in."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.composition import Goldfold
from api.scorers import describe_device, describe_model
from configs.errors import SettingsError
from configs.settings import Settings
from scoring.errors import ModelNotFound, ScoringError
from tests.scoring.tiny import write_model

pytestmark = pytest.mark.slow


def test_by_default_the_policies_texts_rank(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, device="cpu")
    assert describe_model(settings).endswith("384 dimensions")
    goldfold = Goldfold(settings)
    scores = goldfold.scorer().score(["a"], ["some words"])
    assert set(scores.policies) == set(goldfold.policies)
    assert scores.embeddings.shape == (1, 384)
    goldfold.close()


def test_a_scorer_file_names_a_classifier(tmp_path: Path) -> None:
    write_model(tmp_path / "model", "bert")
    file = tmp_path / "scorer.yaml"
    file.write_text("model: model\nlabels: {insult: hate_speech, threat: violence}\nmax_tokens: 64\n")
    settings = Settings(data_dir=tmp_path, device="cpu", scorer=str(file))
    with pytest.raises(SettingsError, match=r"scorer.yaml: max_tokens must lie in 3..32 for model, not 64"):
        describe_model(settings)
    file.write_text(file.read_text().replace("64", "32"))
    assert describe_model(settings).endswith("for hate_speech, violence")
    goldfold = Goldfold(settings)
    assert goldfold.scorer().policies == ("hate_speech", "violence")
    goldfold.close()


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="nowhere"):
        describe_model(Settings(data_dir=tmp_path, scorer=str(tmp_path / "nowhere.yaml")))
    with pytest.raises(ModelNotFound):
        describe_model(Settings(data_dir=tmp_path, encoder=str(tmp_path / "nowhere")))


def test_a_device() -> None:
    assert describe_device("cpu") == "cpu"
    with pytest.raises(ScoringError):
        describe_device("nonsense")
