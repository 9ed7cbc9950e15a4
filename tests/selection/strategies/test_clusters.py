from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection.diversity import kmeans
from selection.strategies.base import Candidates
from selection.strategies.clusters import NEIGHBOURS, average_linkage, by_turns, typicality
from selection.strategies.exact import grid
from selection.strategies.registry import find
from selection.strategies.shortlist import at_threshold
from tests.contracts.chooser import ChooserContract
from tests.selection.made import made_candidates


class TestKMeans(ChooserContract):
    name = "k_means"


class TestTypiclust(ChooserContract):
    name = "typiclust"


class TestClusterMargin(ChooserContract):
    name = "cluster_margin"


def heaped(sizes: list[int], labelled: int = 1) -> Candidates:
    """Heaps of items around the axes; a labelled item on the first axis."""
    candidates = made_candidates(sum(sizes), labelled=labelled)
    axes = np.repeat(np.eye(16, dtype=np.float32)[: len(sizes)], sizes, axis=0)
    noisy = axes + 0.05 * np.random.default_rng(0).standard_normal(axes.shape).astype(np.float32)
    candidates.embeddings[:] = noisy / np.linalg.norm(noisy, axis=1, keepdims=True)
    if candidates.labelled is not None:
        candidates.labelled.embeddings[:] = np.eye(16, dtype=np.float32)[0]
    return candidates


def test_one_pick_is_the_item_nearest_to_the_mean() -> None:
    candidates = made_candidates(100)
    nearest = int((candidates.embeddings @ candidates.embeddings.mean(axis=0)).argmax())
    assert find("k_means")(candidates, 1, 0).rows.tolist() == [nearest]


@pytest.mark.parametrize("n", [2, 8, 40])
def test_each_pick_is_the_nearest_of_its_cluster_to_the_centroid(n: int) -> None:
    candidates = made_candidates(200)
    candidates.ties[:] = np.arange(200) / 200  # the shortlist is in the order of the rows
    labels, centroids = kmeans(candidates.embeddings.astype(np.float32), n, 7)
    chosen = find("k_means")(candidates, n, 7)
    assert sorted(labels[chosen.rows].tolist()) == list(range(n))
    for row in chosen.rows:
        nearness = candidates.embeddings[labels == labels[row]] @ centroids[labels[row]]
        assert float(candidates.embeddings[row] @ centroids[labels[row]]) >= float(nearness.max()) - 2e-6


def test_typical_starts_with_the_largest_heap_that_nothing_labelled_lies_in() -> None:
    candidates = heaped([40, 30, 20])
    heap = np.repeat(np.arange(3), [40, 30, 20])
    assert heap[find("typiclust")(candidates, 2, 0).rows].tolist() == [1, 2]  # 1 labelled + 2 picks: three clusters


def test_the_typical_have_near_neighbours() -> None:
    rows = made_candidates(90).embeddings.astype(np.float64)
    distances = np.sqrt(np.maximum(2.0 - 2.0 * rows @ rows.T, 0.0))
    expected = 1.0 / np.sort(distances, axis=1)[:, 1 : NEIGHBOURS + 1].mean(axis=1)
    assert np.allclose(typicality(grid(rows.astype(np.float32)), np.zeros(90, dtype=np.int64)), expected, rtol=0.01)


@given(seed=st.integers(0, 10_000), n=st.integers(1, 30))
def test_turns_go_to_the_cluster_with_the_fewest_labels(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    labels, counts, values = rng.integers(0, 5, 30), rng.integers(0, 4, 5), rng.random(30)
    left, sizes = set(range(30)), np.bincount(labels, minlength=5)
    for row in by_turns(labels, counts.copy(), values, n).tolist():
        fewest = min(counts[labels[other]] for other in left)
        assert counts[labels[row]] == fewest
        assert sizes[labels[row]] == max(sizes[labels[other]] for other in left if counts[labels[other]] == fewest)
        assert values[row] == max(values[other] for other in left if labels[other] == labels[row])
        left.remove(row)
        counts[labels[row]] += 1


def test_cluster_margin_goes_round_from_the_smallest_cluster_the_least_sure_first() -> None:
    sizes = [20, 12, 5]
    candidates = heaped(sizes)
    heap = np.repeat(np.arange(3), sizes)
    values = (at_threshold(candidates) * candidates.weights).max(axis=1)
    chosen = find("cluster_margin")(candidates, 3, 0)  # looks at 30: all but the 7 surest
    sure = np.argsort(-values)[30:]
    counts = {which: int((np.delete(heap, sure) == which).sum()) for which in range(3)}
    assert heap[chosen.rows].tolist() == sorted(counts, key=lambda which: counts[which])
    for row in chosen.rows:
        assert values[row] == pytest.approx(values[heap == heap[row]].max(), abs=1e-9)


def test_average_linkage_finds_the_heaps() -> None:
    labels = average_linkage(grid(heaped([20, 12, 5]).embeddings), 3)
    assert [len(set(labels[part].tolist())) for part in (slice(0, 20), slice(20, 32), slice(32, 37))] == [1, 1, 1]
    assert len(set(labels.tolist())) == 3
