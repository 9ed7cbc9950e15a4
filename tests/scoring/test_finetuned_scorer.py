from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pytest

from scoring.base import Scorer
from scoring.embedding_head import EmbeddingHead
from scoring.encoder import SentenceEncoder
from scoring.finetuned import Finetuned, seal
from scoring.finetuned_scorer import FinetunedScorer, open_classifier
from scoring.prototypes import prototype_head
from tests.contracts.scorer import IDS, TEXTS, AnyScorerContract
from tests.scoring.tiny import write_model

LEARNT = ("threat", "insult")


@cache
def beside() -> EmbeddingHead:
    encoder = SentenceEncoder(device="cpu")
    return EmbeddingHead(
        encoder, prototype_head(encoder, {"insult": "rude words", "spam": "buy now", "threat": "I hurt"})
    )


@cache
def model(seed: int) -> Finetuned:
    folder = Path(mkdtemp()) / "m"
    write_model(folder, "bert", seed=seed, labels=LEARNT, problem="multi_label_classification")
    seal(folder, LEARNT, beside().embedding_version, 32)
    return Finetuned.load(folder)


@pytest.fixture(scope="module", autouse=True)
def _clean() -> object:
    yield
    for seed in (0, 1):
        shutil.rmtree(model(seed).folder.parent, ignore_errors=True)


class TestFinetunedScorer(AnyScorerContract):
    @classmethod
    def make(cls) -> Scorer:
        return FinetunedScorer(model(0), open_classifier(model(0), device="cpu"), beside())

    @classmethod
    def make_other(cls) -> Scorer:
        return FinetunedScorer(model(1), open_classifier(model(1), device="cpu"), beside())

    def test_it_scores_what_it_learnt_and_leaves_the_rest(self, scorer: Scorer) -> None:
        found, rest = scorer.score(IDS, TEXTS), beside().score(IDS, TEXTS)
        own = open_classifier(model(0), device="cpu").score(IDS, TEXTS)
        assert found.policies == ("insult", "spam", "threat")
        np.testing.assert_array_equal(found.probabilities[:, 1], rest.probabilities[:, 1])
        np.testing.assert_array_equal(found.probabilities[:, 0], own.probabilities[:, 1])
        np.testing.assert_array_equal(found.probabilities[:, 2], own.probabilities[:, 0])
        np.testing.assert_array_equal(found.embeddings, rest.embeddings)
        assert scorer.version != self.make_other().version
