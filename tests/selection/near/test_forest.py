from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection.near.forest import Forest, Pairs
from tests.selection.near.made import by_hand

N = 12
EDGES = st.lists(st.tuples(st.integers(0, N - 1), st.integers(0, N - 1)), max_size=20)


def pairs(edges: list[tuple[int, int]]) -> Pairs:
    ends = np.array(edges, dtype=np.int64).reshape(-1, 2)
    return ends[:, 0], ends[:, 1]


@given(EDGES, st.integers(0, 20))
def test_groups_are_the_connected_components_whatever_the_batches(edges: list[tuple[int, int]], cut: int) -> None:
    forest = Forest()
    forest.grow(N // 2)
    forest.grow(N - N // 2)
    forest.join(pairs(edges[:cut]))
    forest.join(pairs(edges[cut:]))
    linked = set(edges) | {(b, a) for a, b in edges}
    assert forest.labels().tolist() == by_hand(N, lambda i, j: (i, j) in linked)


@given(EDGES, EDGES)
def test_apart_gives_open_pairs_once(joined: list[tuple[int, int]], asked: list[tuple[int, int]]) -> None:
    forest = Forest(np.arange(N))
    forest.join(pairs(joined))
    labels = forest.labels()
    left, right = forest.apart(pairs(asked))
    told = sorted(zip(left.tolist(), right.tolist(), strict=True))
    assert told == sorted({(min(e), max(e)) for e in asked if labels[e[0]] != labels[e[1]]})


def test_what_one_batch_joins_the_next_need_not_look_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selection.near.forest.BATCH_PAIRS", 1)
    forest, seen = Forest(np.arange(4)), []
    batches = [pairs([(0, 1), (0, 1), (1, 1)]), pairs([(1, 0)]), pairs([(2, 3)])]
    for left, right in forest.undecided(iter(batches)):
        seen.append((left.tolist(), right.tolist()))
        forest.join((left, right))
    assert seen == [([0], [1]), ([2], [3])]
