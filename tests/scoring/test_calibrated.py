from __future__ import annotations

import numpy as np
import pytest
import torch

from scoring.base import Note, Scorer, Scores
from scoring.calibrated import CalibratedKeptScorer, CalibratedScorer, calibrated
from scoring.calibration import CalibrationMap, Calibrator
from scoring.disagreement import CommitteeScores
from scoring.embedding_head import EmbeddingHead
from scoring.encoder import SentenceEncoder
from scoring.ensemble import HeadCommittee
from tests.contracts.scorer import IDS, TEXTS, ScorerContract
from tests.scoring.test_embedding_head import head_for

BENT = Calibrator(("abuse", "violence"), (CalibrationMap("platt", 1.6, -0.7), CalibrationMap("temperature", 0.5)), "m")


class TestCalibratedScorer(ScorerContract):
    atol = 2e-4  # a slope of 1.6 stretches what a flipped float16 step moves

    encoder: SentenceEncoder

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _encoder(cls, minilm: SentenceEncoder) -> None:
        cls.encoder = minilm

    @classmethod
    def make(cls) -> Scorer:
        return calibrated(EmbeddingHead(cls.encoder, head_for(cls.encoder)), BENT)

    @classmethod
    def make_other(cls) -> Scorer:
        return calibrated(EmbeddingHead(cls.encoder, head_for(cls.encoder, seed=1)), BENT)

    def module(self, scorer: Scorer) -> torch.nn.Module:
        return self.encoder.module


class Fixed:
    """Scores texts without a model, and cannot score kept embeddings."""

    name, version, policies = "fixed", "fixed-1", ("abuse", "self_harm", "violence")

    def score(self, ids: object, texts: object, progress: object = None) -> Scores:
        p = np.array([[0.2, 0.4, 0.9]], np.float32)
        return Scores(("a",), self.policies, p, np.zeros((1, 2), np.float16), notes=(Note("a", "half was read"),))


def test_probabilities_are_mapped_and_the_rest_is_the_scorers() -> None:
    raw, found = Fixed().score([], []), CalibratedScorer(Fixed(), BENT).score([], [])
    np.testing.assert_array_equal(found.probabilities, BENT.apply(Fixed.policies, raw.probabilities))
    assert found.probabilities[0, 1] == raw.probabilities[0, 1]
    assert (found.ids, found.notes, found.failures) == (raw.ids, raw.notes, raw.failures)


def test_the_version_follows_scorer_and_calibrator() -> None:
    other = Calibrator(("abuse",), (CalibrationMap("platt", 2.0),), "m")
    made = CalibratedScorer(Fixed(), BENT)
    assert len({Fixed.version, made.version, CalibratedScorer(Fixed(), other).version}) == 3
    assert made.version == CalibratedScorer(Fixed(), BENT).version
    assert made.embedding_version == Fixed.version


def test_kept_embeddings_are_scored_where_the_scorer_can(minilm: SentenceEncoder) -> None:
    inner = EmbeddingHead(minilm, head_for(minilm))
    made = calibrated(inner, BENT)
    assert isinstance(made, CalibratedKeptScorer)
    fresh = made.score(IDS, TEXTS)
    np.testing.assert_array_equal(made.score_embeddings(IDS, fresh.embeddings).probabilities, fresh.probabilities)
    assert made.embedding_version == minilm.version
    with pytest.raises(ValueError, match="1 ids but"):
        made.score_embeddings(IDS[:1], fresh.embeddings)
    assert not hasattr(calibrated(Fixed(), BENT), "score_embeddings")


def test_a_committee_keeps_its_opinions(minilm: SentenceEncoder) -> None:
    committee = HeadCommittee(minilm, [head_for(minilm), head_for(minilm, seed=1)])
    raw, found = committee.score(IDS, TEXTS), calibrated(committee, BENT).score(IDS, TEXTS)
    assert isinstance(found, CommitteeScores)
    np.testing.assert_array_equal(found.members, raw.members)
    assert (found.probabilities != raw.probabilities).any()


def test_a_map_for_a_policy_nobody_judges_is_refused() -> None:
    with pytest.raises(ValueError, match="maps strange, which fixed does not judge"):
        CalibratedScorer(Fixed(), Calibrator(("abuse", "strange"), BENT.maps, "m"))
