from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from scoring.distil import REACH, _mean, _Student, clipped_logits, distil
from scoring.first_stage import FirstStage
from scoring.linear_votes import LinearVotes
from scoring.vocabulary import Vocabulary
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
    reading = stage.read(texts)
    guessed = reading.logits
    assert reading.whole.all()
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
    np.testing.assert_allclose(stage.read(texts).logits, answers, atol=1e-4)


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
    alone = [replace(blank, tensors=tensors).read(texts).logits for tensors in (network, {**silent, **linear})]
    stage = replace(blank, tensors=_mean(network, votes, middle, scale))
    np.testing.assert_allclose(stage.read(texts).logits, (alone[0] + alone[1]) / 2, atol=1e-4)


def test_logits_are_kept_within_reach_of_the_threshold() -> None:
    found = clipped_logits(np.array([[0.0], [0.5], [1.0]]), [0.5])
    assert found[:, 0].tolist() == [-REACH, 0.0, REACH]


def test_inputs_that_do_not_fit_are_refused(vocabulary: Vocabulary) -> None:
    with pytest.raises(ValueError, match="same length"):
        distil(["a"], np.zeros((2, 1)), ("abuse",), (0.5,), vocabulary)
    with pytest.raises(ValueError, match="none of the texts"):
        distil(["fox " * 40], np.zeros((1, 1)), ("abuse",), (0.5,), vocabulary, max_tokens=32)


def test_what_the_scorer_thinks_of_a_token_helps_where_the_sample_has_it_never(vocabulary: Vocabulary) -> None:
    """The stage sees nothing of "hurt", but is told that the scorer thinks of it as of "bad"."""
    tokens = Tokenizer.from_str(vocabulary.tokenizer).get_vocab()
    opinions = np.zeros((200, 1), np.float32)
    opinions[[tokens["bad"], tokens["hurt"]]] = 5
    texts = [text for text in made_texts(800) if "hurt" not in text]
    wanted = np.array([[0.9 if "bad" in text else 0.1] for text in texts])
    new = ["a quick hurt fox", "a quick lovely fox"]
    apart = []
    for told in (vocabulary, replace(vocabulary, opinions=opinions)):
        stage = distil(texts, wanted, ("abuse",), (0.5,), told, max_tokens=32, epochs=4)
        hurt, lovely = stage.read(new).logits[:, 0]
        apart.append(hurt - lovely)
    assert apart[1] > apart[0] + 0.5


def test_unseen_tokens_keep_their_start(vocabulary: Vocabulary) -> None:
    stage = distil(["fox fox dog"] * 3, np.full((3, 1), 0.5), ("abuse",), (0.5,), vocabulary, epochs=1)
    fox, bird = (stage.backend.get_vocab()[word] for word in ("fox", "birds"))
    other = distil(["dog"] * 3, np.full((3, 1), 0.5), ("abuse",), (0.5,), vocabulary, epochs=1)
    np.testing.assert_array_equal(stage.tensors["tokens"][bird], other.tensors["tokens"][bird])
    assert (stage.tensors["tokens"][fox] != other.tensors["tokens"][fox]).any()
