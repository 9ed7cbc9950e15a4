from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selection.errors import BadSample, NoLicence
from selection.estimation import clopper_pearson, hajek, kish_n
from selection.hashing import F64
from selection.sampling import on_grid, pps_draw
from selection.select import select
from selection.types import Lane
from tests.selection.made import made_plan, made_pool


def rare_harm() -> tuple[F64, F64]:
    """200,000 items, 0.40 % of them positive, and a scorer that puts all of these in its upper quarter."""
    rng = np.random.default_rng(0)
    truth = np.zeros(200_000)
    truth[:800] = 1.0
    scores = np.where(rng.random(len(truth)) < 0.25, rng.beta(20, 6, len(truth)), rng.beta(1, 25, len(truth)))
    scores[:800] = rng.beta(20, 6, 800)
    return truth, scores


def test_risk_sampling_finds_the_rare_and_still_tells_the_truth() -> None:
    truth, scores = rare_harm()
    n, rng = 2000, np.random.default_rng(1)
    sizes = on_grid(scores, float(scores.max()), 0.1)
    naive, values, covered = [], [], []
    for _ in range(200):
        taken, pi = pps_draw(sizes, rng.random(len(truth)), rng.random(), n, 0.1)
        drawn = np.flatnonzero(taken)
        estimate = hajek(truth[drawn], pi[drawn])
        naive.append(truth[drawn].mean())
        values.append(estimate.value)
        covered.append(estimate.low <= 0.004 <= estimate.high)
    assert np.mean(naive) == pytest.approx(0.012, abs=0.001)
    assert np.mean(values) == pytest.approx(0.00395, abs=0.00015)
    assert 0.92 <= np.mean(covered) <= 0.98
    uniform_variance = 0.004 * 0.996 / n
    assert 2.5 < uniform_variance / np.var(values) < 4


def test_the_formulas_by_hand() -> None:
    y, pi = np.array([1, 0, 1] * 10 + [0] * 10), np.array([0.5, 0.25, 0.1] * 10 + [0.2] * 10)
    estimate = hajek(y, pi)
    w = 1 / pi
    value = (20 + 100) / (20 + 40 + 100 + 50)
    variance = np.sum((1 - pi) * w**2 * (y - value) ** 2) / np.sum(w) ** 2
    assert (estimate.value, estimate.variance) == pytest.approx((value, variance))
    assert estimate.effective_n == pytest.approx(value * (1 - value) / variance)
    assert estimate.low == pytest.approx(value - 1.959964 * math.sqrt(variance))
    assert estimate.high == pytest.approx(value + 1.959964 * math.sqrt(variance))
    assert (estimate.n, estimate.positives, estimate.method) == (40, 20, "normal")


def test_few_positives_get_the_exact_interval() -> None:
    estimate = hajek([1] * 4 + [0] * 196, [0.01] * 200)
    assert estimate.method == "korn-graubard"
    assert estimate.effective_n == pytest.approx(200 / 0.99)
    assert (estimate.low, estimate.high) == pytest.approx(clopper_pearson(0.02, 200))
    mirrored = hajek([0] * 4 + [1] * 196, [0.01] * 200)
    assert (1 - mirrored.high, 1 - mirrored.low) == pytest.approx((estimate.low, estimate.high))


def test_no_positives_still_leave_room() -> None:
    estimate = hajek([0] * 60, [0.01] * 60)
    assert (estimate.value, estimate.low) == (0.0, 0.0)
    assert estimate.high == pytest.approx(0.060, abs=0.001)  # 0/60, DOMAIN section 5
    uneven = hajek([0] * 60, [0.9] * 30 + [0.001] * 30)
    assert uneven.effective_n < 32
    assert uneven.high > estimate.high


def test_clopper_pearson_fixtures() -> None:
    assert clopper_pearson(0.0, 60) == pytest.approx((0.0, 0.0596), abs=1e-4)
    assert clopper_pearson(0.0, 300, confidence=0.90)[1] == pytest.approx(0.0099, abs=1e-4)
    assert clopper_pearson(4 / 200, 200, confidence=0.90)[1] == pytest.approx(0.0452, abs=1e-4)
    assert clopper_pearson(1.0, 10)[1] == 1.0


def test_a_census_has_no_doubt() -> None:
    estimate = hajek([1, 0, 0, 1], [1.0] * 4)
    assert (estimate.value, estimate.low, estimate.high, estimate.method) == (0.5, 0.5, 0.5, "census")


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.floats(0.001, 1)), min_size=1, max_size=60))
def test_an_interval_holds_its_estimate(sample: list[tuple[bool, float]]) -> None:
    estimate = hajek([y for y, _ in sample], [pi for _, pi in sample])
    assert 0 <= estimate.low <= estimate.value + 1e-12
    assert estimate.value - 1e-12 <= estimate.high <= 1
    assert estimate.effective_n >= 0
    assert math.isfinite(estimate.variance)


@pytest.mark.parametrize("unknown", [None, math.nan])
def test_purposive_picks_have_no_licence(unknown: float | None) -> None:
    with pytest.raises(NoLicence, match=r"pi: 1 of 3 picks \(first: row 1\) were chosen on purpose"):
        hajek([1, 0, 0], [0.5, unknown, 0.5])


@pytest.mark.parametrize(
    ("y", "pi", "message"),
    [
        ([], [], "no answer"),
        ([1, 0], [0.5], "2 answers for 1 probabilities"),
        ([1, 2], [0.5, 0.5], r"y: row 1 is 2\.0"),
        ([1, math.nan], [0.5, 0.5], "y: row 1 is nan"),
        ([1, 0], [0.5, 0.0], r"pi: row 1 is 0\.0"),
        ([1, 0], [0.5, 1.5], r"pi: row 1 is 1\.5"),
    ],
)
def test_bad_samples_are_refused(y: list[Any], pi: list[Any], message: str) -> None:
    with pytest.raises(BadSample, match=message):
        hajek(y, pi)


def test_bad_confidence_is_refused() -> None:
    with pytest.raises(BadSample, match="confidence"):
        hajek([1, 0], [0.5, 0.5], confidence=95)


def test_a_round_speaks_for_its_frame() -> None:
    """From select to figure: the share of pairs that violate, from picks of both lanes of chance, copies included."""
    pool = made_pool(n=600, copies=120)
    truth = pool.probabilities > 0.25  # copies differ in truth here: pi must speak for pairs, not for groups
    share = truth[pool.eligible].mean()
    rows = {item: row for row, item in enumerate(pool.ids)}
    values, covered = [], []
    for seed in range(120):
        picks = select(pool, made_plan((Lane("random", 0.3), Lane("risk", 0.7)), budget=150, seed=seed)).picks
        y = [bool(truth[rows[pick.item_id], pool.policies.index(pick.policy)]) for pick in picks]
        estimate = hajek(y, [pick.pi for pick in picks])
        values.append(estimate.value)
        covered.append(estimate.low <= share <= estimate.high)
    assert np.mean(values) == pytest.approx(share, rel=0.05)
    assert np.mean(covered) >= 0.90


def test_a_round_with_uncertain_picks_is_refused_as_a_whole() -> None:
    picks = select(made_pool(), made_plan((Lane("random", 0.5), Lane("uncertain", 0.5)))).picks
    with pytest.raises(NoLicence, match="30 of 60 picks"):
        hajek([0] * 60, [pick.pi for pick in picks])


def test_within_strata_only_the_spread_about_their_means_counts() -> None:
    y, pi = [0, 0, 0, 1, 1, 1, 0, 1] * 4, [0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.5, 0.25] * 4
    strata = [0, 0, 0, 1, 1, 1, 0, 1] * 4  # no spread within
    assert hajek(y, pi, strata=strata).variance == pytest.approx(0.0, abs=1e-15)
    assert hajek(y, pi).variance > 0.001
    assert hajek(y, pi, strata=[None] * 32) == hajek(y, pi)


def test_a_stratum_of_one_counts_as_by_poisson_sampling() -> None:
    y, pi = [0, 1, 0, 1], [0.5, 0.5, 0.25, 0.25]
    assert hajek(y, pi, strata=[0, 1, 2, 3]).variance == pytest.approx(hajek(y, pi).variance)
    with pytest.raises(BadSample, match="4 answers for 2 strata"):
        hajek(y, pi, strata=[0, 1])


def test_one_stratum_is_simple_random_sampling() -> None:
    y = np.array([1] * 12 + [0] * 28)
    found = hajek(y, [0.2] * 40, strata=[0] * 40)
    assert found.variance == pytest.approx(0.8 * y.var(ddof=1) / 40)


def test_unequal_chances_are_worth_fewer_equal_ones() -> None:
    assert kish_n([0.25] * 30) == pytest.approx(30)
    assert kish_n([0.5, 0.25]) == pytest.approx((2 + 4) ** 2 / (4 + 16))
    assert kish_n([]) == 0
    with pytest.raises(NoLicence, match="1 of 2 picks"):
        kish_n([0.5, None])
