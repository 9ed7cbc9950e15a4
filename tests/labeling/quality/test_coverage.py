"""Coverage mathematics: who is near gold, how far apart two histograms are, which clusters are dark."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.quality.coverage import (
    F32,
    F64,
    NONE_NEAR,
    WHOLE,
    Ints,
    assigned,
    clustered,
    dark,
    divergence,
    effective,
    nearest,
    ranked,
    share,
    weighted_share,
)


def unit(rows: F64) -> F32:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def blobs(sizes: list[int], d: int = 16) -> tuple[F32, Ints]:
    """Unit rows around as many axes, and which."""
    random = np.random.default_rng(3)
    of = np.repeat(np.arange(len(sizes)), sizes)
    return unit(np.eye(d)[of] + 0.05 * random.normal(size=(len(of), d))), of


def test_nearest_is_the_largest_cosine_whatever_the_order() -> None:
    random = np.random.default_rng(1)
    traffic, gold = unit(random.normal(size=(9000, 8))), unit(random.normal(size=(30, 8)))
    ticks: list[tuple[int, int]] = []
    found = nearest(traffic, gold, lambda done, of: ticks.append((done, of)))
    assert np.allclose(found, (traffic @ gold.T).max(axis=1), atol=1e-5)
    assert np.allclose(nearest(traffic.astype(np.float16), gold[::-1].copy()), found, atol=2e-3)
    assert ticks[-1] == (9000, 9000)
    assert (nearest(traffic[:3], gold[:0]) == NONE_NEAR).all()
    assert (nearest(gold, gold) == 1).all()


def test_a_sample_has_an_interval_and_the_whole_has_none() -> None:
    counts = np.arange(60) < 57
    sampled, whole = share(counts, is_whole=False), share(counts, is_whole=True)
    assert (round(sampled.low, 3), round(sampled.high, 3)) == (0.863, 0.983)
    assert (whole.value, whole.low, whole.high, whole.method) == (0.95, 0.95, 0.95, WHOLE)
    assert share(counts[:12], is_whole=True).value is None
    assert share(counts[:0], is_whole=True).verdict == "insufficient"


def test_equal_weights_give_the_plain_share_and_nothing_counts_without_weight() -> None:
    counts = np.arange(100) % 4 == 0
    even = weighted_share(counts, np.full(100, 0.7), is_whole=False)
    plain = share(counts, is_whole=False)
    assert (even.value, even.low, even.high) == pytest.approx((plain.value, plain.low, plain.high))
    weights = np.where(np.arange(100) < 50, 1.0, 0.0)
    assert weighted_share(counts, weights, is_whole=True).n == 50
    assert weighted_share(counts, np.zeros(100), is_whole=False).verdict == "insufficient"
    assert effective(np.array([1.0, 1.0, 2.0])) == pytest.approx(16 / 6)


def test_equal_histograms_are_no_further_apart_than_chance_and_disjoint_ones_a_bit() -> None:
    labels = np.repeat(np.arange(4), 100)
    same = divergence(np.array([50, 50, 50, 50]), labels, np.ones(400), 0)
    assert same.value == pytest.approx(0.0, abs=1e-9)
    assert same.by_chance > 0
    apart = divergence(np.array([0, 0, 0, 0, 60]), labels, np.ones(400), 0)
    assert [apart.value, apart.high] == pytest.approx([1.0, 1.0])
    half = divergence(np.array([100, 100]), np.zeros(200, np.int64), np.ones(200), 0)
    assert half.value == pytest.approx(0.311278, abs=1e-6)  # H(3/4, 1/4) - H(1/2, 1/2) / 2
    assert half.value is not None
    assert half.low < half.value < half.high


def test_few_items_of_either_say_nothing() -> None:
    labels = np.zeros(100, np.int64)
    for gold, weights in (([12, 0], np.ones(100)), ([0, 0], np.ones(100)), ([60, 0], np.zeros(100))):
        found = divergence(np.array(gold), labels, weights, 0)
        assert (found.value, found.verdict) == (None, "insufficient")
        assert found.as_dict()["clusters"] == 2


def test_the_level_that_chance_reaches_is_rarely_passed() -> None:
    random, labels = np.random.default_rng(5), np.repeat(np.arange(8), 250)
    q = np.full(8, 1 / 8)
    passed = [
        found.value is not None and found.value > found.by_chance
        for found in (divergence(random.multinomial(80, q), labels, np.ones(2000), n) for n in range(100))
    ]
    assert sum(passed) <= 12


def test_clusters_are_the_blobs_and_new_items_fall_into_theirs() -> None:
    vectors, of = blobs([100, 80, 60])
    labels, centroids = clustered(vectors, 7)
    assert len(centroids) == 4
    assert all(len({int(x) for x in of[labels == label]}) <= 1 for label in range(4))
    assert (assigned(vectors.astype(np.float16), centroids) == labels).mean() > 0.97
    assert np.allclose(np.linalg.norm(centroids, axis=1), 1, atol=1e-5)
    assert len(clustered(vectors[:3], 7)[1]) == 1


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.floats(0, 1)), max_size=60))
def test_what_is_dark_is_counted_once_and_the_darkest_comes_first(rows: list[tuple[int, bool, float]]) -> None:
    labels = np.array([row[0] for row in rows], np.int64)
    near = np.array([row[1] for row in rows], np.bool_)
    weights = np.array([row[2] for row in rows], np.float64)
    risk, items = dark(labels, near, weights, 5)
    assert items.sum() == (~near).sum()
    assert risk.sum() == pytest.approx(weights[~near].sum())
    order = ranked(risk, items)
    assert sorted(order) == list(range(5))
    assert all(risk[a] >= risk[b] - 1e-8 for a, b in pairwise(order))
