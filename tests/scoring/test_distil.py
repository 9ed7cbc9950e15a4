from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from scoring.distil import REACH, Vocabulary, _mean, _Student, clipped_logits, distil, read_vocabulary
from scoring.errors import ModelRefused
from scoring.first_stage import FirstStage
from scoring.linear_votes import LinearVotes
from tests.contracts.scorer import TEXTS
from tests.scoring.stages import made_probabilities, made_texts, tiny_stage, tiny_vocabulary


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Vocabulary:
    return tiny_vocabulary(tmp_path_factory.mktemp("vocabulary"))


def learned(vocabulary: Vocabulary, seed: int = 0, *, embeddings: bool = False) -> FirstStage:
    texts = made_texts(600)
    probabilities = made_probabilities(texts)
    beside = np.tile([0.6, 0.8], (len(texts), 1)) if embeddings else None
    return distil(
        texts, probabilities, ("abuse",), (0.5,), vocabulary, embeddings=beside, max_tokens=32, seed=seed, epochs=4
    )


def test_it_learns_what_the_full_scorer_knows(vocabulary: Vocabulary) -> None:
    stage = learned(vocabulary)
    texts = made_texts(300, seed=9)
    wanted = made_probabilities(texts)[:, 0]
    guessed, whole = stage.read(texts)
    assert whole.all()
    assert guessed[wanted > 0.5].min() > guessed[wanted < 0.05].max()


def test_the_same_input_gives_the_same_stage(vocabulary: Vocabulary) -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    one = learned(vocabulary, embeddings=True)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert learned(vocabulary, embeddings=True).version == one.version
    assert len({one.version, learned(vocabulary, 1, embeddings=True).version, learned(vocabulary).version}) == 3


def test_the_network_in_training_and_in_use_is_one(vocabulary: Vocabulary) -> None:
    """Trained on padded rows, used on rows without padding."""
    start = {"tokens": np.random.default_rng(0).normal(size=(200, 64)).astype(np.float32)}
    torch.manual_seed(0)
    network = _Student({**start, "votes": np.zeros((200, 2), np.float32)}, 0).eval()
    with torch.no_grad():
        network.votes.weight[:200].normal_()
    middle, scale = np.array([1.0, -2.0]), np.array([3.0, 0.5])
    tensors = {**network.tensors(middle, scale), "pairs": np.zeros((1, 2), np.float32)}
    stage = FirstStage(("a", "b"), vocabulary.tokenizer, tensors, 64)
    texts = [text for text in TEXTS if len(stage.token_ids([text])[0]) <= 64]
    ids = stage.token_ids(texts)
    longest = max(map(len, ids))
    padded = torch.tensor([[*row, *[network.pad] * (longest - len(row))] for row in ids])
    with torch.inference_mode():
        answers = network(padded)[0].numpy() * scale + middle
    np.testing.assert_allclose(stage.read(texts)[0], answers, atol=1e-4)


def test_a_stage_answers_with_the_mean_of_network_and_votes(vocabulary: Vocabulary) -> None:
    rng = np.random.default_rng(0)
    blank = tiny_stage(vocabulary.tokenizer, ("a", "b"))
    network = {**blank.tensors, "pairs": np.zeros((50, 2), np.float32)}
    votes = LinearVotes(rng.normal(size=(200, 2)), rng.normal(size=(50, 2)), np.array([0.3, -0.2]))
    middle, scale = np.array([1.0, -2.0]), np.array([3.0, 0.5])
    silent = {name: np.zeros_like(array) for name, array in network.items()}
    linear = {
        "votes": (votes.tokens * scale).astype(np.float32),
        "pairs": (votes.pairs * scale).astype(np.float32),
        "output_bias": (votes.bias * scale + middle).astype(np.float32),
    }
    texts = [text for text in TEXTS if len(blank.token_ids([text])[0]) <= 64]
    alone = [replace(blank, tensors=tensors).read(texts)[0] for tensors in (network, {**silent, **linear})]
    stage = replace(blank, tensors=_mean(network, votes, middle, scale))
    np.testing.assert_allclose(stage.read(texts)[0], (alone[0] + alone[1]) / 2, atol=1e-4)


def test_logits_are_kept_within_reach_of_the_threshold() -> None:
    found = clipped_logits(np.array([[0.0], [0.5], [1.0]]), [0.5])
    assert found[:, 0].tolist() == [-REACH, 0.0, REACH]


def test_inputs_that_do_not_fit_are_refused(vocabulary: Vocabulary) -> None:
    with pytest.raises(ValueError, match="same length"):
        distil(["a"], np.zeros((2, 1)), ("abuse",), (0.5,), vocabulary)
    with pytest.raises(ValueError, match="none of the texts"):
        distil(["fox " * 40], np.zeros((1, 1)), ("abuse",), (0.5,), vocabulary, max_tokens=32)


def test_the_default_encoders_vocabulary() -> None:
    vocabulary = read_vocabulary()
    assert vocabulary.vectors.shape == (30522, 384)
    assert vocabulary.vectors.dtype == np.float32


def test_a_folder_without_a_vocabulary_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match="to start from"):
        read_vocabulary(tmp_path)
