"""The common-mode alarm: rings for an outdated rule that everybody shares, and seldom for nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from labeling.quality.common_mode import State, Window, common_mode, rates_ratio, rates_rise

BEFORE = Window(300, 300.0, 285.0, 100, 20, 10_000, 200)


def world(rng: np.random.Generator, outdated: float, *, slips: float = 0.05) -> Window:
    """Four weeks: 20,000 decisions, 400 of them judged again, 300 appeals against removals that the outside decides,
    reports of what was left. Reviewers and re-reviewers share one rule; on a share ``outdated`` of the items it is no
    longer what people outside hold. ``slips``: decisions that miss the shared rule, which QA can see."""
    judged, appeals, decisions = 400, 300, 20_000
    seen_wrong = rng.binomial(judged, slips)  # re-review has the same rule: outdated items look right to it
    overturned = rng.binomial(appeals, min(1.0, 0.10 + outdated))
    reports = rng.poisson(decisions * (0.01 + 0.1 * outdated))
    return Window(judged, float(judged), float(judged - seen_wrong), appeals, int(overturned), decisions, int(reports))


def rung(outdated: float, seeds: int, **how: float) -> float:
    found = 0
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        found += common_mode(world(rng, 0.0), world(rng, outdated, **how)).state is State.ALARM
    return found / seeds


def test_a_rule_that_is_outdated_for_everybody_rings() -> None:
    rates = {outdated: rung(outdated, 200) for outdated in (0.01, 0.03, 0.10)}
    print("alarm by share of items that the shared rule gets wrong:", rates)
    assert rates[0.01] < rates[0.03]
    assert rates[0.10] >= 0.9  # at most 1, less the 5 % in which QA's own interval misses 0 by chance


def test_nothing_rings_seldom() -> None:
    rate = rung(0.0, 1500)
    print(f"false alarms: {rate:.4f} of 1500 null worlds")
    assert rate <= 0.06


def test_what_qa_sees_itself_is_no_common_mode() -> None:
    worse = replace(BEFORE, right=240.0, overturned=45)
    told = common_mode(BEFORE, worse)
    assert told.state is State.QA_MOVED
    assert told.overturns.moves is True


def test_each_signal_rings_alone() -> None:
    assert common_mode(BEFORE, replace(BEFORE, overturned=45)).state is State.ALARM
    assert common_mode(BEFORE, replace(BEFORE, reports=280)).state is State.ALARM
    assert common_mode(BEFORE, BEFORE).state is State.QUIET


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"judged": 12, "effective": 12.0, "right": 12.0}, State.INSUFFICIENT),
        ({"decided": 12, "overturned": 12, "decisions": 0, "reports": 0}, State.INSUFFICIENT),
        ({"decided": 0, "overturned": 0}, State.QUIET),
    ],
)
def test_too_little_says_so(changes: dict[str, float], state: State) -> None:
    assert common_mode(BEFORE, replace(BEFORE, **changes)).state is state  # type: ignore[arg-type]


def test_a_small_sure_change_within_the_margin_is_flat() -> None:
    many = Window(100_000, 100_000.0, 95_000.0, 100, 20, 10_000, 200)
    assert common_mode(many, replace(many, right=94_500.0)).state is State.QUIET
    assert common_mode(many, replace(many, right=94_500.0), margin=0.001).state is State.QA_MOVED


def test_poisson_rates_are_held_exactly() -> None:
    assert rates_rise(0, 100, 5, 100) == pytest.approx(0.5**5)
    assert rates_rise(5, 100, 0, 100) == 1.0


def test_the_ratio_of_two_rates_has_an_exact_interval() -> None:
    assert rates_ratio(0, 100, 5, 100)[1] is None
    assert rates_ratio(5, 100, 0, 100)[0] == 0.0
    low, high = rates_ratio(10, 1000, 30, 2000)
    assert low < 1.5 < (high or 0)
    rng, held = np.random.default_rng(5), 0
    for _ in range(300):
        before, after = int(rng.poisson(40)), int(rng.poisson(120))  # the rate doubles at 1.5 times the exposure
        low, high = rates_ratio(before, 1000, after, 1500)
        held += low <= 2.0 <= (high or np.inf)
    assert held / 300 >= 0.93  # exact: 95 % or more, but for chance
    assert rates_rise(3, 100, 3, 300) == pytest.approx(1 - sum(
        [0.25**6, 6 * 0.75 * 0.25**5, 15 * 0.75**2 * 0.25**4]), abs=1e-12)  # fmt: skip
