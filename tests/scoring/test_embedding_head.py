from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from scoring.base import Scorer
from scoring.embedding_head import EmbeddingHead
from scoring.encoder import SentenceEncoder
from scoring.errors import ModelRefused
from scoring.head import Head
from tests.contracts.scorer import IDS, TEXTS, ScorerContract

K = 3


def head_for(encoder: SentenceEncoder, seed: int = 0) -> Head:
    rng = np.random.default_rng(seed)
    return Head(
        policies=("abuse", "self_harm", "violence"),
        weights=rng.normal(0, 0.3, (K, encoder.dimension)).astype(np.float32),
        bias=np.zeros(K, np.float32),
        platt=np.tile(np.array([1.5, -0.5], np.float32), (K, 1)),
        sources=("trained",) * K,
        encoder_version=encoder.version,
    )


class TestEmbeddingHead(ScorerContract):
    # One step of a float16 embedding (6e-5) may flip with the batch; with |w| of 6 that moves a probability by 1e-5.
    atol = 1e-4

    encoder: SentenceEncoder

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _encoder(cls, minilm: SentenceEncoder) -> None:
        cls.encoder = minilm

    @classmethod
    def make(cls) -> Scorer:
        return EmbeddingHead(cls.encoder, head_for(cls.encoder))

    @classmethod
    def make_other(cls) -> Scorer:
        return EmbeddingHead(cls.encoder, head_for(cls.encoder, seed=1))

    def module(self, scorer: Scorer) -> torch.nn.Module:
        return self.encoder.module


def test_kept_embeddings_score_to_the_same_bits(minilm: SentenceEncoder) -> None:
    scorer = EmbeddingHead(minilm, head_for(minilm))
    fresh = scorer.score(IDS, TEXTS)
    kept = scorer.score_embeddings(IDS[::-1], fresh.embeddings[::-1])
    assert kept.ids == IDS[::-1]
    np.testing.assert_array_equal(kept.probabilities[::-1], fresh.probabilities)
    np.testing.assert_array_equal(
        scorer.score_embeddings(IDS[:1], fresh.embeddings[:1]).probabilities[0], fresh.probabilities[0]
    )


def test_kept_embeddings_must_fit(minilm: SentenceEncoder) -> None:
    scorer = EmbeddingHead(minilm, head_for(minilm))
    vectors = np.zeros((2, minilm.dimension), np.float16)
    with pytest.raises(ValueError, match="1 ids but 2 embeddings"):
        scorer.score_embeddings(["a"], vectors)
    with pytest.raises(ValueError, match="more than once"):
        scorer.score_embeddings(["a", "a"], vectors)
    with pytest.raises(ValueError, match="384"):
        scorer.score_embeddings(["a", "b"], vectors[:, :5])


def test_a_head_of_another_encoder_is_refused(minilm: SentenceEncoder) -> None:
    head = head_for(minilm)
    stranger = Head(head.policies, head.weights, head.bias, head.platt, head.sources, "another")
    with pytest.raises(ModelRefused, match="made for encoder another"):
        EmbeddingHead(minilm, stranger)


def test_the_embedding_version_is_the_encoders(minilm: SentenceEncoder) -> None:
    one, two = (EmbeddingHead(minilm, head_for(minilm, seed)) for seed in (0, 1))
    assert one.embedding_version == two.embedding_version == minilm.version
    assert one.version != two.version


def test_a_long_text_counts_by_its_worst_window_not_by_its_kept_embedding(tiny: dict[str, Path]) -> None:
    encoder = SentenceEncoder(tiny["bert"], device="cpu", max_tokens=8)
    scorer = EmbeddingHead(encoder, head_for(encoder))
    long = "a b c d e f birds sing fox dog day care"
    found = scorer.score(["short", "long"], ["fox", long])
    parts = scorer.score(["one", "two"], ["a b c d e f", "birds sing fox dog day care"])
    np.testing.assert_allclose(found.probabilities[1], parts.probabilities.max(axis=0), rtol=0, atol=1e-3)
    assert [note.item_id for note in found.notes] == ["long"]
    kept = scorer.score_embeddings(found.ids, found.embeddings)
    np.testing.assert_array_equal(kept.probabilities[0], found.probabilities[0])
    assert (kept.probabilities[1] != found.probabilities[1]).any()
