from __future__ import annotations

from itertools import pairwise

import numpy as np

from scoring.first_stage import pair_places
from scoring.linear_votes import PAIRS, LinearVotes, fit_votes

V = 40


def drawn(n: int = 2000, seed: int = 0) -> list[list[int]]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, V, rng.integers(1, 9)).tolist() for _ in range(n)]


def guesses(votes: LinearVotes, ids: list[list[int]]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    found = []
    for row in map(np.array, ids):
        pairs = votes.pairs[pair_places(row[:-1], row[1:], PAIRS)].sum(axis=0)
        found.append(votes.bias + (votes.tokens[row].sum(axis=0) + pairs) / len(row) ** 0.5)
    return np.array(found)


def with_pair(ids: list[list[int]]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """1 where token 3 is followed by token 5, over the root of the number of tokens."""
    return np.array([((3, 5) in pairwise(row)) / len(row) ** 0.5 for row in ids])


def texts_with_pairs(n: int, seed: int) -> list[list[int]]:
    return [[*row, 3, 5] if i % 5 == 0 else [*row, 5, 3] if i % 5 == 1 else row for i, row in enumerate(drawn(n, seed))]


def test_what_a_pair_says_is_learned_from_the_pair() -> None:
    ids, new = texts_with_pairs(2000, 0), texts_with_pairs(300, 1)
    vectors = np.random.default_rng(2).normal(size=(V, 4)).astype(np.float32)
    target = np.stack([with_pair(ids), -2 * with_pair(ids)], axis=1)
    votes = fit_votes(ids, target, np.ones_like(target), [vectors])
    assert votes.tokens.shape == (V, 2)
    assert votes.pairs.shape == (PAIRS, 2)
    found = guesses(votes, new)
    assert np.corrcoef(found[:, 0], with_pair(new))[0, 1] > 0.97
    np.testing.assert_allclose(found[:, 1], -2 * found[:, 0], atol=1e-3)


def test_tokens_with_like_vectors_share_a_vote() -> None:
    """Token 1 is in no text, and has the vector of token 0, which is bad."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(V, 30)).astype(np.float32)
    vectors[1] = vectors[0]
    ids = [[0 if token == 1 else token for token in row] for row in drawn()]
    target = np.array([[float(0 in row)] for row in ids])
    votes = fit_votes(ids, target, np.ones_like(target), [vectors])
    assert votes.tokens[1, 0] > 5 * abs(np.median(votes.tokens[2:, 0]))


def test_weights_say_which_texts_count() -> None:
    ids = drawn(400)
    target = np.array([[float(i % 2)] for i in range(400)])
    vectors = np.zeros((V, 2), np.float32)
    weights = np.where(target > 0, 1.0, 1e-6)
    assert guesses(fit_votes(ids, target, weights, [vectors]), ids).min() > 0.9


def test_the_same_input_gives_the_same_votes() -> None:
    ids = drawn(300)
    target = np.array([[float(0 in row)] for row in ids])
    vectors = np.random.default_rng(0).normal(size=(V, 4)).astype(np.float32)
    one, two = (fit_votes(ids, target, np.ones_like(target), [vectors]) for _ in range(2))
    np.testing.assert_array_equal(one.tokens, two.tokens)
    np.testing.assert_array_equal(one.pairs, two.pairs)
    np.testing.assert_array_equal(one.bias, two.bias)
