from __future__ import annotations

import json
import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2_contingency

from scoring.drift import (
    FALSE_ALARMS,
    MAJOR,
    MIN_WINDOW,
    MODERATE,
    bin_counts,
    bin_edges,
    compare,
    jsd,
    noise,
    p_value,
    psi,
)

Ints = npt.NDArray[np.int64]
counts = st.lists(st.integers(0, 500), min_size=2, max_size=12).filter(any).map(lambda c: np.array(c, np.int64))
pairs = st.integers(2, 12).flatmap(
    lambda b: st.tuples(*[st.lists(st.integers(0, 500), min_size=b, max_size=b).filter(any)] * 2)
)


Windows = dict[tuple[str, ...], tuple[Ints, Ints]]


def windows(cells: int, n: int, m: int, rng: np.random.Generator, shift: float = 0.0) -> Windows:
    made: Windows = {}
    for cell in range(cells):
        reference, current = rng.beta(0.6, 3, n), np.clip(rng.beta(0.6, 3, m) + shift, 0, 1)
        edges = bin_edges(reference)
        made[str(cell),] = bin_counts(reference, edges), bin_counts(current, edges)
    return made


def test_edges_cut_the_reference_into_equal_parts() -> None:
    scores = np.random.default_rng(0).random(1000).astype(np.float32)
    edges = bin_edges(scores)
    assert len(edges) == 9
    np.testing.assert_allclose(bin_counts(scores, edges), 100, atol=1)
    assert bin_counts(np.array([-1.0, 2.0]), edges).tolist() == [1, *[0] * 8, 1]


def test_scores_that_are_all_the_same_have_one_bin_below_their_edge() -> None:
    edges = bin_edges(np.full(500, 0.3))
    assert bin_counts(np.full(500, 0.3), edges).tolist() == [500, 0]
    assert bin_counts(np.array([]), edges).tolist() == [0, 0]


def test_edges_survive_json() -> None:
    scores = np.random.default_rng(1).beta(0.1, 3, 3000).astype(np.float32)
    edges = bin_edges(scores)
    again = np.array(json.loads(json.dumps(edges.tolist())))
    np.testing.assert_array_equal(bin_counts(scores, again), bin_counts(scores, edges))


def test_nan_and_no_reference_are_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        bin_edges(np.array([0.1, np.nan]))
    with pytest.raises(ValueError, match="at least one"):
        bin_edges(np.array([]))
    with pytest.raises(ValueError, match="finite"):
        bin_counts(np.array([np.nan]), np.array([0.5]))


@given(pairs)
def test_divergences_are_what_their_formulas_say(pair: tuple[list[int], list[int]]) -> None:
    p, q = (np.array(side, np.int64) for side in pair)
    assert 0 <= jsd(p, q) <= math.log(2)
    assert jsd(p, q) == pytest.approx(jsd(q, p), abs=1e-12)
    assert jsd(p, q) == pytest.approx(jensenshannon(p, q) ** 2, abs=1e-9)
    assert psi(p, q) >= 0
    assert psi(p, q) == pytest.approx(psi(q, p))
    assert math.isfinite(psi(p, q))


@given(counts)
def test_the_same_counts_have_not_moved(c: Ints) -> None:
    assert psi(c, c) == 0
    assert p_value(c, c) == pytest.approx(1)
    assert jsd(c, c) == pytest.approx(0, abs=1e-12)


def test_nothing_in_common_is_ln_2() -> None:
    assert jsd(np.array([100, 0]), np.array([0, 7])) == pytest.approx(math.log(2))


def test_psi_of_a_hand_made_case() -> None:
    expected = (0.3 - 0.5) * math.log(0.3 / 0.5) + (0.7 - 0.5) * math.log(0.7 / 0.5)
    assert psi(np.array([500_000, 500_000]), np.array([300_000, 700_000])) == pytest.approx(expected, rel=1e-4)


def test_p_values_are_pearsons() -> None:
    reference, current = np.array([100, 120, 80]), np.array([30, 60, 30])
    assert p_value(reference, current) == pytest.approx(chi2_contingency([reference, current], correction=False)[1])


def test_thin_bins_are_joined_before_the_test() -> None:
    assert p_value(np.array([1000, 1, 1, 1000]), np.array([110, 1, 0, 110])) > 0.5
    assert p_value(np.array([1000, 1]), np.array([110, 0])) == 1.0
    assert p_value(np.array([1, 1000]), np.array([0, 110])) == 1.0


def test_psi_without_drift_stays_below_the_noise_that_is_told() -> None:
    rng = np.random.default_rng(5)
    below = [
        psi(*pair) <= noise(*pair)
        for _ in range(40)
        for n, m in ((1000, 1000), (3000, 150))
        for pair in windows(5, n, m, rng).values()
    ]
    assert 0.92 <= np.mean(below) <= 0.98  # 400 draws of a 95 % bound


def test_windows_without_drift_raise_few_alarms() -> None:
    """200 windows of 10 cells each: at 1 % a window, 7 or more alarms would come once in some 200 seeds."""
    rng = np.random.default_rng(6)
    alarms = 0
    for _ in range(200):
        found = compare(windows(10, 1000, 120, rng))
        alarms += any(cell.verdict in ("moderate", "major") for cell in found.values())
    assert alarms <= 6
    assert FALSE_ALARMS == 0.01


@pytest.mark.parametrize(("shift", "verdict"), [(0.03, "moderate"), (0.2, "major")])
def test_drift_of_one_cell_among_many_is_seen(shift: float, verdict: str) -> None:
    rng = np.random.default_rng(7)
    calm, moved = windows(20, 5000, 1000, rng), windows(1, 5000, 1000, rng, shift)
    found = compare(calm | {("moved",): moved["0",]})
    assert found["moved",].verdict in (verdict, "major")
    assert [found[cell].verdict for cell in calm] == ["none"] * 20


def test_a_difference_too_small_to_matter_is_no_drift_however_sure() -> None:
    reference, current = np.array([500_000, 500_000]), np.array([505_000, 495_000])
    found = compare({("a",): (reference, current)})["a",]
    assert found.p_value is not None
    assert found.p_value < 1e-6
    assert found.verdict == "none"
    assert 0 < MODERATE < MAJOR


def test_small_windows_have_no_verdict_and_no_figure() -> None:
    few, many = np.array([50, MIN_WINDOW - 51]), np.array([500, 500])
    for pair in ((few, many), (many, few), (many, np.array([0, 0]))):
        found = compare({("a",): pair})["a",]
        assert found.verdict == "insufficient"
        assert (found.psi, found.jsd, found.psi_noise, found.p_value) == (None,) * 4
        json.dumps(found.as_dict(), allow_nan=False)


def test_counts_of_other_bins_are_refused() -> None:
    with pytest.raises(ValueError, match="3 bins in the reference, 2 now"):
        compare({("a",): (np.array([1, 2, 3]), np.array([1, 2]))})
