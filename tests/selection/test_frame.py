from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np

from selection.frame import build_frame
from selection.types import Lane
from tests.selection.made import made_plan, made_pool, shuffled

PLAN = made_plan((Lane("risk", 1.0),), budget=1)


def test_a_unit_is_a_group_under_a_policy() -> None:
    pool = made_pool(n=40, copies=5)
    pool = dataclasses.replace(pool, eligible=np.ones_like(pool.eligible))
    frame = build_frame(pool, PLAN)
    assert len(frame) == 35 * 3
    assert Counter(frame.members.tolist()) == {1: 30 * 3, 2: 5 * 3}
    pairs = frame.row[frame.members == 2].reshape(5, 3)
    assert all(len(set(rows)) == 1 for rows in pairs.tolist())  # one representative for all policies
    copies = frame.members == 2
    first, last = pool.probabilities[:5].ravel(), pool.probabilities[35:].ravel()
    assert np.allclose(frame.mean[copies], (first.astype(float) + last) / 2)
    assert np.allclose(frame.probability, pool.probabilities[frame.row, frame.policy])


def test_only_eligible_members_represent() -> None:
    pool = made_pool(n=40, copies=5)
    eligible = np.ones_like(pool.eligible)
    eligible[:5, 1] = False
    frame = build_frame(dataclasses.replace(pool, eligible=eligible), PLAN)
    unit = (frame.group == 2) & (frame.policy == 1)
    assert frame.row[unit].tolist() == [37]
    assert frame.members[unit].tolist() == [1]


def test_each_member_represents_as_often() -> None:
    pool = made_pool(n=4, copies=2, policies=("hate",))
    pool = dataclasses.replace(pool, eligible=np.ones_like(pool.eligible))
    rows = [build_frame(pool, dataclasses.replace(PLAN, seed=seed)).row[0] for seed in range(1000)]
    assert 440 < rows.count(0) < 560
    assert rows.count(0) + rows.count(2) == 1000


def test_groups_that_a_pool_brings_take_the_place_of_the_cosine() -> None:
    pool = made_pool(n=40, copies=5)
    numbers = np.random.default_rng(0).permutation(40) * 7
    numbers[20:] = numbers[:20]  # twenty pairs, whatever the embeddings say
    pool = dataclasses.replace(pool, eligible=np.ones_like(pool.eligible), groups=numbers)
    frame = build_frame(pool, PLAN)
    assert sorted(set(frame.group.tolist())) == list(range(20))
    assert set(frame.members.tolist()) == {2}
    moved = build_frame(shuffled(pool, 1), PLAN)
    np.testing.assert_array_equal(moved.row, frame.row)
    np.testing.assert_array_equal(moved.group, frame.group)


def test_no_cosine_means_no_groups_even_where_a_pool_brings_some() -> None:
    pool = made_pool(n=10, copies=0)
    pool = dataclasses.replace(pool, eligible=np.ones_like(pool.eligible), groups=np.zeros(10, np.int64))
    assert set(build_frame(pool, dataclasses.replace(PLAN, duplicate_cosine=None)).members.tolist()) == {1}
    assert set(build_frame(pool, PLAN).members.tolist()) == {10}
