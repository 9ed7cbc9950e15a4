from __future__ import annotations

import numpy as np
import numpy.typing as npt

from selection.diversity import spread


def blobs(sizes: list[int], d: int = 8, noise: float = 0.02) -> npt.NDArray[np.float32]:
    rng = np.random.default_rng(0)
    centres = np.eye(d)[: len(sizes)]
    vectors = np.repeat(centres, sizes, axis=0) + noise * rng.standard_normal((sum(sizes), d))
    order = rng.permutation(len(vectors))
    return np.asarray((vectors / np.linalg.norm(vectors, axis=1, keepdims=True))[order], np.float32)


def test_every_blob_is_asked_about_and_by_its_first_row() -> None:
    vectors = blobs([80, 15, 5])
    chosen = spread(vectors, 3, seed=1)
    kinds = vectors.argmax(axis=1)
    assert chosen.note is None
    assert chosen.rows.tolist() == sorted(int(np.flatnonzero(kinds == kind)[0]) for kind in range(3))
    assert sorted(chosen.clusters.tolist()) == [0, 1, 2]


def test_no_more_rows_than_picks_means_all() -> None:
    chosen = spread(blobs([3, 2]), 5, seed=1)
    assert chosen.rows.tolist() == [0, 1, 2, 3, 4]
    assert (chosen.clusters == -1).all()


def test_few_distinct_vectors_fall_back_and_say_so() -> None:
    vectors = np.repeat(np.eye(3, dtype=np.float32), [10, 5, 5], axis=0)
    chosen = spread(vectors, 6, seed=1)
    assert chosen.rows.tolist() == [0, 1, 2, 3, 10, 15]
    assert chosen.clusters.tolist().count(-1) == 3
    assert chosen.note == "diversity: only 3 distinct vectors for 6 picks; 3 chosen by uncertainty alone"


def test_identical_vectors_are_chosen_by_uncertainty() -> None:
    assert spread(np.repeat(np.eye(1, 4, dtype=np.float16), 9, axis=0), 4, seed=1).rows.tolist() == [0, 1, 2, 3]


def test_one_pick_is_the_most_uncertain() -> None:
    assert spread(blobs([5, 5]), 1, seed=3).rows.tolist() == [0]


def test_the_seed_decides() -> None:
    vectors = blobs([300] * 3, noise=0.5)
    first, again, other = (spread(vectors, 40, seed) for seed in (1, 1, 2))
    assert np.array_equal(first.rows, again.rows)
    assert not np.array_equal(first.rows, other.rows)
    assert len(first.rows) == len(set(first.rows.tolist())) == 40
