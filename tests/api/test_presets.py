"""The packaged text classifiers, each on a tiny model of its own architecture with its own labels.

The real weights are not on this machine: what is proved is that the files fit such a model, not what it says.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml

from api.scorers import build_scorer
from configs.scorer_files import PACKAGED_SCORERS, packaged_scorers, read_scorer
from configs.scorer_kinds import HFText
from configs.settings import PACKAGED_POLICIES, Settings
from labeling.policies import read_policies
from labeling.scorebook import LakeScorer
from scoring.errors import LabelMapError
from tests.scoring.tiny import write_model

pytestmark = pytest.mark.slow
POLICIES = read_policies(PACKAGED_POLICIES)


@dataclass(frozen=True)
class Public:
    """What the public model is: its architecture, and its labels in their order."""

    architecture: str
    labels: tuple[str, ...]
    judged: tuple[str, ...]


MODELS = {
    "toxic-bert": Public(
        "bert", ("toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate"), ("hate_speech", "violence")
    ),
    "unbiased-toxic-roberta": Public(
        "roberta",
        ("toxicity", "severe_toxicity", "obscene", "identity_attack", "insult", "threat", "sexual_explicit", "male"),
        ("hate_speech", "sexual", "violence"),
    ),
    "dynabench-hate": Public("roberta", ("nothate", "hate"), ("hate_speech",)),
    "text-moderation": Public(
        "deberta",
        ("H", "H2", "HR", "OK", "S", "S3", "SH", "V", "V2"),
        ("hate_speech", "self_harm", "sexual", "violence"),
    ),
    "multilingual-toxicity": Public("distilbert", ("toxic", "not_toxic"), ("hate_speech",)),
}


def load(name: str, folder: Path, labels: tuple[str, ...]) -> LakeScorer:
    """The packaged file with a folder in place of the hub id, loaded as the product loads it."""
    write_model(folder / "model", MODELS[name].architecture, labels=labels)
    content = yaml.safe_load((PACKAGED_SCORERS / f"{name}.yaml").read_text())
    del content["revision"]
    (folder / "scorer.yaml").write_text(yaml.safe_dump({**content, "model": "model", "max_tokens": 32}))
    settings = Settings(data_dir=folder, device="cpu", scorer=str(folder / "scorer.yaml"))

    def never() -> LakeScorer:
        raise LookupError("a classifier asks for no head")

    return build_scorer(settings, POLICIES, never)


def test_every_packaged_text_classifier_is_here() -> None:
    assert set(MODELS) == {name for name in packaged_scorers() if isinstance(read_scorer(name), HFText)}


@pytest.mark.parametrize("name", MODELS)
def test_a_preset_fits_its_architecture(name: str, tmp_path: Path) -> None:
    scorer = load(name, tmp_path, MODELS[name].labels)
    assert scorer.policies == MODELS[name].judged
    found = scorer.score(["a", "b"], ["a quick brown fox", "the lazy dog"])
    assert found.failures == ()
    assert np.ptp(found.probabilities, axis=0).min() > 0


@pytest.mark.parametrize("name", MODELS)
def test_a_preset_refuses_a_model_with_other_labels(name: str, tmp_path: Path) -> None:
    with pytest.raises(LabelMapError, match="the model has no label"):
        load(name, tmp_path, ("LABEL_0", "LABEL_1"))
