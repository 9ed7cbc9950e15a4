from __future__ import annotations

from dataclasses import replace

import faiss
import numpy as np
import pytest

from selection import neighbours
from selection.errors import BadPool
from selection.hashing import U64, item_hashes
from selection.neighbours import Around, Neighbours
from selection.strategies.registry import find
from selection.types import F32
from tests.selection.made import made_candidates


def made(n: int, d: int = 16, seed: int = 0) -> tuple[U64, F32]:
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((12, d))
    rows = centres[rng.integers(0, 12, n)] + 0.5 * rng.standard_normal((n, d))
    unit = np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)
    return item_hashes([f"item-{row}" for row in range(n)]), unit


def exact(hashes: U64, vectors: F32, queries: F32, k: int) -> set[int]:
    return {int(hashes[row]) for line in queries @ vectors.T for row in np.argsort(-line)[:k]}


def test_finds_what_is_near() -> None:
    hashes, vectors = made(3000)
    index = Neighbours.build(hashes, vectors)
    truth = exact(hashes, vectors, vectors[:20], 10)
    found = set(index.near(vectors[:20], 10).tolist())
    assert len(found & truth) / len(truth) > 0.95


def test_coded_vectors_find_most_of_it_among_four_times_as_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "FLAT_ROWS", 100)
    hashes, vectors = made(3000, d=64)
    index = Neighbours.build(hashes, vectors)
    truth = exact(hashes, vectors, vectors[:20], 10)
    assert len(set(index.near(vectors[:20], 40).tolist()) & truth) / len(truth) > 0.8
    assert len(index.arrays()["index"]) < 3000 * 64 * 4 / 3


def test_the_order_of_the_items_and_threads_move_nothing() -> None:
    hashes, vectors = made(2000)
    order = np.random.default_rng(1).permutation(2000)
    one = Neighbours.build(hashes, vectors).near(vectors[:5], 30)
    faiss.omp_set_num_threads(2)
    try:
        other = Neighbours.build(hashes[order], vectors[order]).near(vectors[:5], 30)
    finally:
        faiss.omp_set_num_threads(1)
    assert one.tolist() == other.tolist()


def test_what_is_added_is_found_and_kept_arrays_say_the_same() -> None:
    hashes, vectors = made(1000)
    index = Neighbours.build(hashes[:900], vectors[:900])
    index.add(hashes[900:], vectors[900:])
    assert int(hashes[950]) in index.near(vectors[950:951], 1).tolist()
    again = Neighbours.from_arrays(index.arrays(), 16)
    assert (len(again), again.trained_for) == (1000, 900)
    assert again.near(vectors[:7], 9).tolist() == index.near(vectors[:7], 9).tolist()


def test_arrays_of_something_else_are_refused() -> None:
    hashes, vectors = made(200)
    arrays = Neighbours.build(hashes, vectors).arrays()
    with pytest.raises(BadPool, match="other embeddings"):
        Neighbours.from_arrays(arrays, 17)
    with pytest.raises(BadPool, match="other embeddings"):
        Neighbours.from_arrays({**arrays, "hashes": hashes[:5]}, 16)
    with pytest.raises(BadPool, match="damaged"):
        Neighbours.from_arrays({**arrays, "index": arrays["index"][:40]}, 16)
    with pytest.raises(BadPool, match="at least one"):
        Neighbours.build(hashes[:0], vectors[:0])


def test_rows_of_the_pool_alone_are_told() -> None:
    hashes, vectors = made(500)
    index = Neighbours.build(hashes, vectors)
    order = np.random.default_rng(2).permutation(500)[:300]
    around = Around(index, hashes[order])
    found = around(vectors[:3], 50)
    wanted = [row for row, item in enumerate(order.tolist()) if hashes[item] in index.near(vectors[:3], 50)]
    assert found.tolist() == wanted
    assert len(found) < len(index.near(vectors[:3], 50))


def test_seals_picks_the_same_through_an_index_that_misses_nothing() -> None:
    candidates = made_candidates(1500, labelled=60)
    hashes = item_hashes([str(row) for row in range(1500)])
    index = Neighbours.build(hashes, candidates.embeddings)
    indexed = replace(candidates, near=Around(index, hashes))
    plain, through = (find("seals")(these, 40, 0) for these in (candidates, indexed))
    assert plain.rows.tolist() == through.rows.tolist()
    few = indexed.of(np.arange(0, 1500, 7))
    assert find("seals")(few, 20, 0).rows.tolist() == find("seals")(replace(few, near=None), 20, 0).rows.tolist()
