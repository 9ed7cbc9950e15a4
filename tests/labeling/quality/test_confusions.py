from __future__ import annotations

import numpy as np
import pytest

from labeling.quality.confusions import ALL, STRENGTHS, Cell, shrunk, strength
from labeling.quality.votes import F64


def cells(rights: dict[Cell, tuple[float, int]], seed: int = 0) -> tuple[dict[Cell, F64], dict[Cell, int]]:
    """Counts (2, 2) of cells whose people are right with a probability, in both classes alike."""
    rng = np.random.default_rng(seed)
    counts: dict[Cell, F64] = {}
    for cell, (right, n) in rights.items():
        k = rng.integers(0, 2, n)
        said = np.where(rng.random(n) < right, k, 1 - k)
        counts[cell] = np.bincount(2 * k + said, minlength=4).reshape(2, 2).astype(np.float64)
    return counts, {cell: n for cell, (_, n) in rights.items()}


def test_who_said_little_is_drawn_to_their_own_other_policies_and_these_to_the_crowd() -> None:
    people = {(f"p{i}", policy, "en"): (0.9, 80) for i in range(12) for policy in ("harm", "fraud")}
    poor: dict[Cell, tuple[float, int]] = {("zed", "harm", "en"): (0.6, 300), ("zed", "fraud", "en"): (0.6, 2)}
    found = shrunk(*cells({**people, **poor}))
    zed, other = found["zed", "fraud", "en"].right(), found["p0", "fraud", "en"].right()
    assert zed.value is None
    assert (zed.n, zed.verdict) == (2, "insufficient")
    assert (zed.low + zed.high) / 2 < (other.low + other.high) / 2 - 0.1
    assert found["zed", ALL, ALL].n == 302
    assert found["zed", "harm", ALL].right().value == pytest.approx(0.6, abs=0.08)


def test_a_cell_with_many_answers_keeps_its_own() -> None:
    found = shrunk(*cells({(f"p{i}", "harm", "en"): (a, 3000) for i, a in enumerate((0.7, 0.9, 0.95))}))
    for i, right in enumerate((0.7, 0.9, 0.95)):
        told = found[f"p{i}", "harm", "en"].right()
        assert told.value == pytest.approx(right, abs=0.02)
        assert told.low < right + 0.015
        assert told.high > right - 0.015
        assert told.high - told.low < 0.05


@pytest.mark.parametrize("n", [5, 30, 150])
def test_intervals_hold_the_truth_about_as_often_as_they_say(n: int) -> None:
    held = []
    for seed in range(12):
        rng = np.random.default_rng([seed, n])
        rights = {(f"p{i:02}", "harm", "en"): (float(rng.beta(45, 5)), n) for i in range(30)}
        found = shrunk(*cells(rights, seed))
        for cell, (right, _) in rights.items():
            told = found[cell].right()
            held.append(told.low <= right <= told.high)
    assert 0.92 <= np.mean(held) <= 0.995


def test_pooling_beats_each_ones_own_share() -> None:
    rng = np.random.default_rng(1)
    rights = {(f"p{i:02}", "harm", "en"): (float(rng.beta(45, 5)), 20) for i in range(60)}
    counts, sizes = cells(rights)
    found = shrunk(counts, sizes)
    own = {cell: float(np.trace(counts[cell])) / 20 for cell in rights}
    pooled = {cell: (told := found[cell].right()).value or (told.low + told.high) / 2 for cell in rights}
    error = [np.mean([(guess[cell] - right) ** 2 for cell, (right, _) in rights.items()]) for guess in (pooled, own)]
    assert error[0] < 0.7 * error[1]


def test_a_class_nobody_met_has_a_wide_interval() -> None:
    counts = {("p", "harm", "en"): np.array([[40.0, 2, 1], [0, 0, 0], [1, 0, 30]])}
    found = shrunk(counts, {("p", "harm", "en"): 74})
    told = found["p", "harm", "en"].share(1, 1)
    assert (told.n, told.value) == (0, None)
    assert told.high - told.low > 0.5
    share = found["p", "harm", "en"].share(0, 0)
    assert (share.n, share.events) == (43, 40)


def test_the_strength_is_large_where_all_are_alike_and_small_where_they_differ() -> None:
    mean = np.tile([0.9, 0.1], (40, 1))
    rng = np.random.default_rng(0)
    alike = rng.multinomial(100, [0.9, 0.1], 40).astype(np.float64)
    differ = np.array([rng.multinomial(100, [p, 1 - p]) for p in rng.beta(2, 0.5, 40)], dtype=np.float64)
    assert strength(alike, mean) > 100 > strength(differ, mean)
    assert strength(np.zeros((3, 2)), mean[:3]) == STRENGTHS[0]


def test_nothing_gives_nothing() -> None:
    assert shrunk({}, {}) == {}
