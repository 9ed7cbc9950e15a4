from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from selection.chance import draw
from selection.errors import BadSample
from selection.estimation import Estimate, hajek
from selection.frame import Frame, build_frame
from selection.hashing import F64
from selection.select import select
from selection.strata import FLOOR, Strata, neyman, stratify
from selection.types import Lane, Plan, Pool
from tests.contracts.strategy import StrategyContract
from tests.selection.made import made_plan, made_pool, shuffled

STRATIFIED = (Lane("stratified", 1.0),)
DRAWS = 1500


class TestStratified(StrategyContract):
    lanes = STRATIFIED

    def test_pi_is_the_share_of_its_stratum(self, pool: Pool) -> None:
        selection = select(pool, self.plan())
        told = selection.frame["strata"]
        assert isinstance(told, list)
        assert sum(stratum["picks"] for stratum in told) == 60
        assert sum(stratum["units"] for stratum in told) == selection.frame["units"]
        for pick in selection.picks:
            assert pick.stratum is not None
            stratum = told[pick.stratum]
            members = next((int(why.split()[-1]) for why in pick.reasons if why.startswith("near-duplicates")), 1)
            assert pick.pi == pytest.approx(stratum["picks"] / stratum["units"] / members)
            assert pick.policy in stratum["policies"]


class TestAllLanesOfChance(StrategyContract):
    lanes = (Lane("random", 0.3), Lane("risk", 0.3), Lane("stratified", 0.4))

    def test_says_every_lane_that_brought_a_pick(self, pool: Pool) -> None:
        selection = select(pool, self.plan(250))
        several = [pick for pick in selection.picks if len(pick.reasons) > 2]
        assert any(pick.reasons[1].startswith("risk") and pick.reasons[2].startswith("stratified") for pick in several)
        assert any("random and risk and stratified drew the same pairs" in note for note in selection.notes)


class TestStratifiedAndUncertain(StrategyContract):
    lanes = (Lane("stratified", 0.5), Lane("uncertain", 0.5))


# --- strata ---


def framed(pool: Pool, budget: int = 60, cosine: float | None = None) -> tuple[Frame, Plan]:
    plan = made_plan(STRATIFIED, budget=budget, cosine=cosine)
    return build_frame(pool, plan), plan


def test_strata_do_not_move_with_the_seed_or_the_order() -> None:
    pool = made_pool(800, copies=20)
    frame, plan = framed(pool, 200, 0.95)
    first = stratify(frame, plan, 200)
    other = build_frame(shuffled(pool, 4), dataclasses.replace(plan, seed=99))
    again = stratify(other, dataclasses.replace(plan, seed=99), 200)
    assert np.array_equal(first.of, again.of)
    assert np.array_equal(first.picks, again.picks)
    assert len(first) > 10


def test_a_stratum_holds_one_policy_and_neighbouring_scores() -> None:
    frame, plan = framed(made_pool(900, copies=0), 300)
    strata = stratify(frame, plan, 300)
    for stratum in range(len(strata)):
        assert len(np.unique(frame.policy[strata.of == stratum])) == 1
    within = sum(frame.mean[strata.of == s].var() * n for s, n in enumerate(strata.units)) / len(frame)
    assert within < 0.25 * frame.mean.var()


def test_strata_that_are_too_small_are_merged_and_it_is_said() -> None:
    pool = made_pool(12, copies=0)
    selection = select(pool, made_plan(STRATIFIED, budget=10, cosine=None))
    told = selection.frame["strata"]
    assert isinstance(told, list)
    assert all(min(stratum["units"], FLOOR) <= stratum["picks"] for stratum in told)
    one = select(pool, made_plan(STRATIFIED, budget=1, cosine=None))
    assert one.notes == (
        f"lane stratified: 3 strata were merged into 1, for each needs {FLOOR} items and {FLOOR} picks",
    )
    assert one.picks[0].pi == pytest.approx(1 / int(pool.eligible.sum()))


def test_more_picks_go_where_more_is_in_doubt_and_grave() -> None:
    pool = made_pool(600, copies=0)
    scores = np.repeat(np.array([0.5, 0.5, 0.001], np.float32)[None], 600, axis=0)
    frame, plan = framed(dataclasses.replace(pool, probabilities=scores, eligible=np.ones_like(pool.eligible)), 90)
    strata = stratify(frame, plan, 90)
    picks = [int(strata.picks[np.unique(strata.of[frame.policy == column])].sum()) for column in range(3)]
    assert picks[1] == pytest.approx(2 * picks[0], abs=2)  # threats weigh twice as much as hate
    assert picks[2] < 0.1 * picks[0]


@pytest.mark.parametrize("vectors", [0.0, 1.0])
def test_items_without_an_embedding_or_all_alike_are_no_failure(vectors: float) -> None:
    pool = made_pool(200, copies=0)
    same = np.zeros_like(pool.embeddings)
    same[:, 0] = vectors
    selection = select(dataclasses.replace(pool, embeddings=same), made_plan(STRATIFIED, budget=120, cosine=None))
    assert len(selection.picks) == 120


# --- allocation ---


def test_neymans_allocation_of_the_textbook() -> None:
    share, chances = np.array([0.94, 0.05, 0.01]), np.array([0.0005, 0.03, 0.45])
    found = neyman((share * 1_000_000).astype(np.int64), np.sqrt(chances * (1 - chances)), 1000)
    assert found.tolist() == [609, 247, 144]


@settings(deadline=None, max_examples=200)
@example(strata=[(1, 5e-324)], part=0.0, floor=0)
@given(
    strata=st.lists(st.tuples(st.integers(1, 50), st.floats(0, 5)), min_size=1, max_size=12),
    part=st.floats(0, 1),
    floor=st.integers(0, 3),
)
def test_an_allocation_keeps_its_bounds(strata: list[tuple[int, float]], part: float, floor: int) -> None:
    units = np.array([n for n, _ in strata])
    least = np.minimum(units, floor)
    n = int(least.sum() + part * (units - least).sum())
    found = neyman(units, np.array([spread for _, spread in strata]), n, floor)
    assert found.sum() == n
    assert (found >= least).all()
    assert (found <= units).all()


def test_an_allocation_that_cannot_be_is_refused() -> None:
    for n, floor in ((21, 0), (3, 2)):
        with pytest.raises(BadSample, match="do not fit 2 strata of 20 units"):
            neyman(np.array([10, 10]), np.ones(2), n, floor)


# --- what the draws say of the frame, over many draws ---


def population(seed: int = 0, n: int = 500) -> tuple[Pool, F64]:
    """Scores that lean the right way without being right, and the truth."""
    pool = made_pool(n, copies=0, seed=seed, policies=("hate",))
    truth = np.random.default_rng(seed + 1).random(n) < pool.probabilities[:, 0] ** 1.3
    return dataclasses.replace(pool, eligible=np.ones((n, 1), dtype=bool)), truth.astype(np.float64)


def simulated(
    sizes: dict[str, int], pool: Pool, truth: F64, judge: Callable[[F64, F64, list[int | None]], Estimate]
) -> tuple[float, float, float]:
    """Over ``DRAWS`` seeds: the mean of the estimates, its standard error, and the share of intervals that hold the
    truth."""
    plan = dataclasses.replace(
        made_plan(STRATIFIED, budget=sum(sizes.values()), cosine=None),
        thresholds={"hate": 0.5},
        severities={"hate": 1.0},
    )
    frame = build_frame(pool, plan)
    n = sizes.get("stratified", 0)
    strata: Strata | None = stratify(frame, plan, n) if n else None
    values, covered = [], 0
    for seed in range(DRAWS):
        drawn = draw(frame, dataclasses.replace(plan, seed=seed), sizes, strata)
        units = np.flatnonzero(drawn.taken)
        of: list[int | None] = [
            int(drawn.strata.of[u]) if drawn.strata and drawn.lanes["stratified"][u] else None for u in units
        ]
        found = judge(truth[units], drawn.pi[units], of)
        values.append(found.value)
        covered += found.low <= truth.mean() <= found.high
    return float(np.mean(values)), float(np.std(values) / np.sqrt(DRAWS)), covered / DRAWS


def with_strata(y: F64, pi: F64, strata: list[int | None]) -> Estimate:
    return hajek(y, pi, strata=strata)


@pytest.mark.parametrize(
    "sizes",
    [
        {"stratified": 100},
        {"random": 60, "stratified": 60},
        {"random": 40, "risk": 40, "stratified": 40},
        {"random": 60, "risk": 60},
    ],
)
def test_estimates_are_unbiased_and_their_intervals_hold(sizes: dict[str, int]) -> None:
    pool, truth = population()
    mean, error, coverage = simulated(sizes, pool, truth, with_strata)
    assert abs(mean - truth.mean()) < 4 * error + 0.002  # Hajek's ratio has a bias of order 1/n
    assert 0.93 <= coverage <= 0.995


def test_every_unit_is_drawn_as_often_as_pi_says() -> None:
    pool, _ = population(n=200)
    plan = dataclasses.replace(made_plan(STRATIFIED), thresholds={"hate": 0.5}, severities={"hate": 1.0})
    frame, sizes = build_frame(pool, plan), {"random": 20, "risk": 20, "stratified": 30}
    strata = stratify(frame, plan, 30)
    seen: F64 = np.zeros(len(frame))
    pi: F64 = np.zeros(len(frame))
    for seed in range(DRAWS):
        drawn = draw(frame, dataclasses.replace(plan, seed=seed), sizes, strata)
        seen += drawn.taken
        pi = drawn.pi
    z = (seen / DRAWS - pi) / np.sqrt(pi * (1 - pi) / DRAWS)
    assert np.abs(z).max() < 4.5
    assert abs(z.mean()) < 0.3
    assert 0.85 < z.std() < 1.15


def test_strata_make_the_same_number_of_answers_worth_more() -> None:
    pool, truth = population(n=1000)
    widths = []
    for sizes in ({"random": 150}, {"stratified": 150}):
        plan = dataclasses.replace(
            made_plan(STRATIFIED, cosine=None), thresholds={"hate": 0.5}, severities={"hate": 1.0}
        )
        frame = build_frame(pool, plan)
        strata = stratify(frame, plan, 150)
        found = []
        for seed in range(60):
            drawn = draw(frame, dataclasses.replace(plan, seed=seed), sizes, strata)
            units = np.flatnonzero(drawn.taken)
            of = [int(strata.of[u]) for u in units] if "stratified" in sizes else None
            found.append(hajek(truth[units], drawn.pi[units], strata=of).variance)
        widths.append(np.mean(found))
    assert widths[1] < 0.7 * widths[0]
