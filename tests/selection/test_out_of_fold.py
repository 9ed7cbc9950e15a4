from __future__ import annotations

import numpy as np

from selection.out_of_fold import LEAST, out_of_fold
from selection.types import F32


def blobs(n: int = 120, seed: int = 0) -> tuple[F32, F32]:
    """Unit vectors around two poles, and which pole it is."""
    rng = np.random.default_rng(seed)
    side = rng.random(n) < 0.5
    rows = rng.normal(size=(n, 8)) * 0.4
    rows[:, 0] += np.where(side, 1.5, -1.5)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float32), side.astype(np.float32)[:, None]


def test_a_wrong_label_is_contradicted_because_it_was_not_learnt() -> None:
    vectors, truth = blobs()
    answers = truth.copy()
    wrong = np.arange(0, 120, 10)
    answers[wrong] = 1 - answers[wrong]
    found = out_of_fold(vectors, answers, [f"g{n}" for n in range(120)], np.full((120, 1), 0.5))
    said = found[:, 0] > 0.5
    assert (said[wrong] != (answers[wrong, 0] == 1)).mean() > 0.9
    assert (said == (truth[:, 0] == 1)).mean() > 0.9


def test_copies_do_not_vouch_for_each_other() -> None:
    vectors, truth = blobs()
    answers = truth.copy()
    odd = np.flatnonzero(truth[:, 0] == 1)[:20]
    vectors[odd] = vectors[odd[0]]  # twenty copies with one wrong label
    answers[odd] = 0
    blocks = [f"g{n}" for n in range(120)]
    apart = out_of_fold(vectors, answers, blocks, np.full((120, 1), 0.5))
    for row in odd:
        blocks[row] = "copies"
    together = out_of_fold(vectors, answers, blocks, np.full((120, 1), 0.5))
    assert (together[odd, 0] > apart[odd, 0]).all()
    assert (together[odd, 0] > 0.5).all()


def test_a_policy_with_too_few_labels_is_left_to_the_scorer() -> None:
    vectors, truth = blobs()
    rare = np.zeros(120, np.float32)
    rare[: LEAST - 1] = 1
    unasked = np.full(120, np.nan, np.float32)
    answers = np.stack([truth[:, 0], rare, unasked], axis=1)
    otherwise = np.full((120, 3), 0.3)
    found = out_of_fold(vectors, answers, [str(n) for n in range(120)], otherwise)
    assert (found[:, 1:] == 0.3).all()
    assert not (found[:, 0] == 0.3).any()
    assert (otherwise == 0.3).all()


def test_as_many_lie_above_the_boundary_as_violate() -> None:
    vectors, truth = blobs(200)
    rare = truth * (np.arange(200)[:, None] % 5 == 0)
    found = out_of_fold(vectors, rare, [str(n) for n in range(200)], np.full((200, 1), 0.5))
    assert abs(float((found > 0.5).mean()) - float(rare.mean())) < 0.02
