from __future__ import annotations

import gzip
import json

import numpy as np
import pytest

from labeling.quality.label_errors import F32, F64, nearest, off_diagonal, out_of_fold, suspicion
from scoring.encoder import SentenceEncoder
from tests.realdata import real_set


def two_clouds(n: int = 400, seed: int = 0) -> tuple[F32, F64]:
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < 0.3).astype(np.float64)
    rows = rng.normal(0, 0.5, (n, 16))
    rows[:, 0] += 2 * labels - 1
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float32), labels


def groups(n: int) -> list[str]:
    return [f"g{i}" for i in range(n)]


def test_flipped_labels_come_first() -> None:
    rows, labels = two_clouds()
    flipped = np.random.default_rng(1).permutation(400)[:12]
    labels[flipped] = 1 - labels[flipped]
    told = suspicion(rows, labels, groups(400))
    assert told is not None
    assert len(set(told.rows[:40].tolist()) & set(flipped.tolist())) >= 10
    assert (np.diff(told.score) <= 0).all()
    assert told.neighbours.shape == (400, 10)
    assert (told.neighbours != told.rows[:, None]).all()
    assert told.off_diagonal[:6].all()


def test_unknown_labels_play_no_part() -> None:
    rows, labels = two_clouds()
    labels[::2] = np.nan
    told = suspicion(rows, labels, groups(400))
    assert told is not None
    assert sorted(told.rows.tolist()) == list(range(1, 400, 2))
    assert (told.neighbours % 2 == 1).all()


def test_a_policy_with_few_labels_of_a_kind_is_not_ranked() -> None:
    rows, labels = two_clouds()
    labels[:] = 0
    labels[:9] = 1
    assert suspicion(rows, labels, groups(400)) is None
    labels[9] = 1
    assert suspicion(rows, labels, groups(400)) is not None


def test_no_model_sees_an_item_or_its_near_duplicate() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(200, 300)).astype(np.float32)  # noise with room for every label to be learnt by heart
    labels = rng.integers(0, 2, 200)
    twice, both = np.concatenate([rows, rows]), np.concatenate([labels, labels])
    names = groups(200) * 2
    honest = out_of_fold(twice, both, names)
    assert abs(float(((honest > 0.5) == both).mean()) - 0.5) < 0.12
    leaky = out_of_fold(twice, both, groups(400))
    assert float(((leaky > 0.5) == both).mean()) > 0.75  # the test can tell


def test_neighbours_are_the_nearest_others_even_among_equals() -> None:
    rows = np.repeat(np.eye(3, dtype=np.float32), [15, 5, 5], axis=0)
    near = nearest(rows, 3)
    assert near.shape == (25, 3)
    assert (near != np.arange(25)[:, None]).all()
    assert (rows[near[:, 0]] == rows).all()
    assert nearest(rows[:2], 5).shape == (2, 1)


def test_confident_learning_asks_for_the_thresholds_of_each_class() -> None:
    given = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    probability = np.array([0.1, 0.2, 0.1, 0.9, 0.6, 0.5, 0.6, 0.1])
    assert off_diagonal(probability, given).tolist() == [False] * 3 + [True] + [False] * 3 + [True]


def test_the_order_of_the_items_does_not_count() -> None:
    rows, labels = two_clouds(150)
    order = np.random.default_rng(4).permutation(150)
    plain = suspicion(rows, labels, groups(150))
    mixed = suspicion(rows[order], labels[order], [groups(150)[i] for i in order])
    assert plain is not None
    assert mixed is not None
    assert order[mixed.rows][:20].tolist() == plain.rows[:20].tolist()


@pytest.fixture(scope="module")
def tweets() -> tuple[F32, list[str]]:
    """Embeddings and labels of every twelfth tweet."""
    with gzip.open(real_set("tweets.jsonl.gz"), "rt", encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines][::12]
    texts = [str(record["text"]) for record in records]
    vectors = SentenceEncoder(device="cpu").encode([str(i) for i in range(len(texts))], texts).vectors
    return vectors.astype(np.float32), [str(record["label"]) for record in records]


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["hate", "offensive"])
def test_half_of_flipped_tweets_stand_in_the_top_tenth(policy: str, tweets: tuple[F32, list[str]]) -> None:
    vectors, names = tweets
    labels = np.array([float(name == policy) for name in names])
    flipped = np.random.default_rng(0).permutation(len(labels))[: round(0.03 * len(labels))]
    labels[flipped] = 1 - labels[flipped]
    told = suspicion(vectors, labels, groups(len(labels)))
    assert told is not None
    top = set(told.rows[: len(labels) // 10].tolist())
    assert len(top & set(flipped.tolist())) >= len(flipped) / 2
