"""A project's accuracy: the interval covers, few answers say nothing, and the target is missed as likely as said."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.quality.intervals import ENOUGH, INSUFFICIENT, proportion
from labeling.quality.qa_accuracy import Share, Tally, stratified
from selection.strata import neyman

# Decisions, shares that are wrong, severity weights, budget: what a project's day may look like.
DAYS = {
    "two policies by outcome": ((8000, 2000, 1500, 500), (0.03, 0.08, 0.05, 0.15), (4, 4, 16, 16), 150),
    "a small budget": ((8000, 2000, 1500, 500), (0.03, 0.08, 0.05, 0.15), (4, 4, 16, 16), 60),
    "most decisions in a mild stratum": ((20_000, 300, 300), (0.05, 0.1, 0.1), (1, 16, 16), 60),
    "almost no errors": ((5000, 5000, 500), (0.01, 0.01, 0.02), (1, 4, 16), 100),
    "forty people": ((200,) * 40, tuple(0.01 + 0.004 * n for n in range(40)), (1, 2, 4, 8, 16) * 8, 200),
    "three very different strata": ((94_000, 5000, 1000), (0.0005, 0.03, 0.45), (1, 1, 1), 1000),
}
TALLIES = st.lists(
    st.integers(1, 500).flatmap(
        lambda units: st.integers(0, units).flatmap(
            lambda n: st.integers(0, n).map(lambda events: Tally(units, n, events))
        )
    ),
    min_size=1,
    max_size=8,
)


def covered(day: str, runs: int = 1000) -> tuple[float, float]:
    """The share of runs whose interval holds the true accuracy, and the interval's mean width. Errors lie fixed in the
    population; picks by Neyman under an error rate that is not the true one, drawn without replacement."""
    sizes, wrong, weights, budget = DAYS[day]
    rng = np.random.default_rng(20_261_127)
    units = np.array(sizes, np.int64)
    right = units - rng.binomial(units, wrong)
    picks = neyman(units, np.array(weights, np.float64), budget, 2)
    truth = right.sum() / units.sum()
    hits, width = 0, 0.0
    for _ in range(runs):
        events = rng.hypergeometric(right, units - right, picks)
        tallies = [Tally(*map(int, row)) for row in zip(units, picks, events, strict=True)]
        figure = stratified(tallies).figure
        hits += figure.low <= truth <= figure.high
        width += figure.high - figure.low
    return hits / runs, width / runs


@pytest.mark.parametrize("day", DAYS)
def test_the_interval_covers_the_true_accuracy(day: str) -> None:
    share, width = covered(day)
    print(f"{day}: covered in {share:.1%} of 1000 runs, mean width {width:.3f}")
    assert share >= 0.93  # nominal 95 %, and three standard errors of 1,000 runs
    assert width < 0.2


def test_one_stratum_is_a_simple_random_sample() -> None:
    found = stratified([Tally(1_000_000, 300, 285)])
    plain = proportion(285, 300)
    assert found.figure.value == plain.value == 0.95
    assert (found.figure.low, found.figure.high) == pytest.approx((plain.low, plain.high), abs=2e-3)
    assert found.design_effect == pytest.approx(1, abs=0.01)


def test_all_right_is_exact_on_what_the_weights_leave() -> None:
    found = stratified([Tally(9000, 30, 30), Tally(1000, 30, 30)])
    assert (found.figure.value, found.figure.high, found.design_effect) == (1.0, 1.0, None)
    assert found.effective_n == pytest.approx(1 / (0.81 / 30 + 0.01 / 30))
    assert found.figure.low < proportion(60, 60).low


def test_few_answers_say_nothing() -> None:
    found = stratified([Tally(100, 12, 12)])
    assert (found.figure.value, found.figure.verdict, found.below(0.5)) == (None, INSUFFICIENT, None)
    assert stratified([Tally(100, 13, 13)]).figure.verdict == ENOUGH
    nothing = stratified([Tally(100, 0, 0)])
    assert (nothing.figure.n, nothing.covered, nothing.below(0.9)) == (0, 0.0, None)


def test_a_stratum_nobody_answered_is_not_spoken_for() -> None:
    found = stratified([Tally(300, 20, 19), Tally(100, 0, 0)])
    assert found.covered == 0.75
    assert found.figure.value == pytest.approx(0.95)


def test_all_of_it_judged_has_no_interval() -> None:
    found = stratified([Tally(20, 20, 18)]).figure
    assert (found.value, found.low, found.high, found.method) == (0.9, 0.9, 0.9, "census")


@settings(max_examples=150, deadline=None)
@given(tallies=TALLIES, target=st.floats(0.01, 0.99))
def test_figures_are_in_range_and_higher_targets_are_missed_more_likely(tallies: list[Tally], target: float) -> None:
    found: Share = stratified(tallies)
    assert 0 <= found.figure.low <= found.estimate + 1e-9
    assert found.estimate - 1e-9 <= found.figure.high <= 1 or not found.figure.n
    assert found.effective_n <= found.figure.n + 1e-9
    below, higher = found.below(target), found.below(min(0.995, target + 0.005))
    if below is not None and higher is not None:
        assert 0 <= below <= higher <= 1


def test_the_chance_of_missing_the_target_is_that_of_jeffreys() -> None:
    found = stratified([Tally(10**9, 100, 90)])
    chance = found.below(0.95)
    assert chance is not None
    assert chance == pytest.approx(0.975, abs=0.01)
    level = found.below(0.9)
    assert level is not None
    assert 0.4 < level < 0.6
