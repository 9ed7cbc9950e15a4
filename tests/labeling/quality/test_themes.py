from __future__ import annotations

import numpy as np
import pytest

from labeling.quality import themes
from labeling.quality.themes import judge, proposals
from tests.labeling.quality.traffic import around, unit


def test_dense_groups_are_proposed_and_scattered_items_are_not() -> None:
    rng = np.random.default_rng(0)
    centres = unit(rng.normal(size=(2, 48)))
    dense = around(rng, np.repeat(centres, 10, axis=0), 0.95)
    vectors = np.concatenate([unit(rng.normal(size=(300, 48))), dense])
    order = rng.permutation(len(vectors))
    found = proposals(vectors, np.zeros(len(vectors), np.bool_), order)
    assert found.near.tolist() == pytest.approx([0.75, 0.75, 0.88, 0.88])
    assert sorted((found.centres[:2] @ centres.T).argmax(axis=1).tolist()) == [0, 1]
    assert found.members(vectors)[-20:, :2].any(axis=1).all()
    assert found.only(0).count(vectors).tolist() == found.count(vectors)[:1].tolist()
    assert len(proposals(vectors[:300], np.ones(300, np.bool_), order[:300])) == 0
    assert proposals(vectors[:0], np.zeros(0, np.bool_), order[:0]).centres.shape == (0, 48)


def test_items_far_from_centroids_come_first_where_there_is_no_room_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    dense = around(rng, np.repeat(unit(rng.normal(size=(1, 48))), 8, axis=0), 0.95)
    vectors = np.concatenate([unit(rng.normal(size=(200, 48))), dense])
    far = np.arange(len(vectors)) >= 200
    monkeypatch.setattr(themes, "MOST_ITEMS", 50)
    assert len(proposals(vectors, far, np.arange(len(vectors)))) == 2
    assert len(proposals(vectors, ~far, np.arange(len(vectors)))) == 0


def test_the_test_knows_how_little_it_knows() -> None:
    count, before = np.array([0, 3, 20, 20]), np.array([0, 30, 0, 200])
    found = judge(count, before, 1000, 10_000, 0.05)
    assert found.p[0] == 1.0
    assert found.expected.round(2).tolist() == [0.05, 3.05, 0.05, 20.05]
    assert 0.4 < found.p[1] < 0.8
    assert found.p[2] < 1e-15
    assert 0.4 < found.p[3] < 0.7
