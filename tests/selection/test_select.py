from __future__ import annotations

import subprocess
import sys
from collections import Counter, defaultdict

import faiss
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from selection.chance import draw, split_budget
from selection.frame import build_frame
from selection.select import select
from selection.strategies.registry import STRATEGIES
from selection.types import Lane, Pool, Quota
from tests.contracts.strategy import StrategyContract
from tests.selection.made import made_plan, made_pool, shuffled

MIX = (Lane("random", 0.2), Lane("risk", 0.3), Lane("uncertain", 0.5))


class TestRandom(StrategyContract):
    lanes = (Lane("random", 1.0),)

    def test_every_pair_of_a_lone_item_has_the_same_pi(self, pool: Pool) -> None:
        selection = select(pool, self.plan())
        lone = {pick.pi for pick in selection.picks if not any("near-duplicates" in why for why in pick.reasons)}
        assert lone == {60 / build_frame(pool, self.plan()).row.size}


class TestRisk(StrategyContract):
    lanes = (Lane("risk", 1.0),)

    def test_leans_to_what_is_likely_and_grave(self, pool: Pool) -> None:
        picks = select(pool, self.plan()).picks
        assert np.mean([pick.probability for pick in picks]) > 2 * pool.probabilities.mean()
        assert Counter(pick.policy for pick in picks).most_common(1)[0][0] == "threats"


class TestRandomAndRisk(StrategyContract):
    lanes = (Lane("random", 0.5), Lane("risk", 0.5))

    def test_says_by_how_much_overlap_leaves_it_short(self, pool: Pool) -> None:
        selection = select(pool, self.plan(300))
        both = [pick for pick in selection.picks if len(pick.reasons) > 1 and pick.reasons[1].startswith("risk")]
        assert both
        assert all(pick.lane == "random" for pick in both)
        assert len(selection.picks) == 300 - len(both)
        assert f"the round is short by {len(both)}: random and risk drew the same pairs" in selection.notes


class TestMix(StrategyContract):
    lanes = MIX

    def test_the_lane_uncertain_takes_what_overlap_left(self, pool: Pool) -> None:
        selection = select(pool, self.plan(200))
        assert len(selection.picks) == 200
        assert Counter(pick.lane for pick in selection.picks)["uncertain"] > 100

    def test_no_item_of_another_lane_and_one_policy_per_item(self, pool: Pool) -> None:
        picks = select(pool, self.plan(200)).picks
        uncertain = [pick.group for pick in picks if pick.lane == "uncertain"]
        assert len(set(uncertain)) == len(uncertain)
        assert not set(uncertain) & {pick.group for pick in picks if pick.lane != "uncertain"}


class UncertainContract(StrategyContract):
    def test_another_seed_brings_others(self, pool: Pool) -> None:
        # 60 picks of all 290 groups: the seed moves the clusters, not the utilities
        first, second = (self.pairs(select(pool, self.plan(seed=seed))) for seed in (1, 2))
        assert first != second
        assert len(set(first) & set(second)) > 10


class TestThreshold(UncertainContract):
    lanes = (Lane("uncertain", 1.0),)

    def test_is_nearer_to_the_thresholds_than_chance(self, pool: Pool) -> None:
        plan = self.plan(4)
        distance = [abs(pick.probability - plan.thresholds[pick.policy]) for pick in select(pool, plan).picks]
        tau = np.array([plan.thresholds[policy] for policy in pool.policies])
        assert np.mean(distance) < 0.3 * np.abs(pool.probabilities - tau).mean()

    def test_reasons_name_utility_threshold_and_cluster(self, pool: Pool) -> None:
        pick = next(pick for pick in select(pool, self.plan()).picks if pick.policy == "threats")
        u = np.exp(-abs(np.log(pick.probability / (1 - pick.probability)) - np.log(0.3 / 0.7)))
        assert pick.reasons[0] == f"uncertain: u={u:.2f} at tau=0.30"
        assert pick.reasons[1].startswith("diverse: cluster ")


class TestModalLeastConfident(UncertainContract):
    lanes = (Lane("uncertain", 1.0, "modal_least_confident"),)


class TestModalMargin(UncertainContract):
    lanes = (Lane("uncertain", 1.0, "modal_margin"),)


class TestModalEntropy(UncertainContract):
    lanes = (Lane("uncertain", 1.0, "modal_entropy"),)


class TestDisagreement(UncertainContract):
    lanes = (Lane("uncertain", 1.0, "disagreement"),)


def test_what_has_the_contract_of_lanes_is_there() -> None:
    """Every strategy has ``ChooserContract``; these have the lane's besides."""
    covered = {lane.strategy for case in UncertainContract.__subclasses__() for lane in case.lanes}
    assert covered <= set(STRATEGIES)


def test_inclusion_frequencies_are_pi() -> None:
    """Small pool, copies, unequal eligibility, both lanes: how often a pair comes is what its pi said."""
    pool = made_pool(n=24, copies=6)
    lanes, runs = (Lane("random", 0.4), Lane("risk", 0.6)), 3000
    seen: Counter[tuple[str, str]] = Counter()
    told: dict[tuple[str, str], set[float]] = defaultdict(set)
    for seed in range(runs):
        for pick in select(pool, made_plan(lanes, budget=20, seed=seed)).picks:
            assert pick.pi is not None
            seen[pick.item_id, pick.policy] += 1
            told[pick.item_id, pick.policy].add(pick.pi)
    assert all(len(values) == 1 for values in told.values())
    assert len(told) == pool.eligible.sum()
    pi = np.array([told[pair].copy().pop() for pair in told])
    frequency = np.array([seen[pair] / runs for pair in told])
    z = (frequency - pi) / np.sqrt(pi * (1 - pi) / runs)
    assert np.abs(z).max() < 4.5
    assert 0.6 < np.mean(z**2) < 1.4


def test_the_chance_lanes_expect_as_many_as_they_draw() -> None:
    pool, plan = made_pool(), made_plan((Lane("risk", 1.0),), budget=60)
    frame = build_frame(pool, plan)
    assert draw(frame, plan, {"risk": 60}).pi.sum() == pytest.approx(60)
    assert draw(frame, plan, {"random": 60}).pi.sum() == pytest.approx(60)


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(2, 60),
    budget=st.integers(1, 40),
    shares=st.sampled_from([(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (0.3, 0.3, 0.4), (0.5, 0.5, 0.0)]),
    cosine=st.sampled_from([None, 0.95, 1.0, 0.3]),
)
def test_a_round_keeps_its_promises(
    seed: int, n: int, budget: int, shares: tuple[float, ...], cosine: float | None
) -> None:
    pool = made_pool(n=n, copies=n // 5, seed=seed)
    lanes = [Lane(name, share) for name, share in zip(("random", "risk", "uncertain"), shares, strict=True) if share]
    assume(pool.eligible.any())
    units = len(build_frame(pool, made_plan(lanes, 1, cosine=cosine)))
    plan = made_plan(lanes, min(budget, units), seed=seed, cosine=cosine)
    selection = select(pool, plan)
    pairs = [(pick.item_id, pick.policy) for pick in selection.picks]
    assert len(set(pairs)) == len(pairs) <= plan.budget
    assert len(pairs) == plan.budget or selection.notes
    assert all(0 < pick.pi <= 1 for pick in selection.picks if pick.pi is not None)
    assert select(shuffled(pool, seed), plan) == selection


@settings(deadline=None)
@given(st.integers(1, 2000), st.integers(1, 98), st.integers(1, 98))
def test_lanes_share_the_whole_budget(budget: int, first: int, second: int) -> None:
    assume(first + second <= 99)
    shares = (first / 100, second / 100, 1 - (first + second) / 100)
    lanes = [Lane(name, share) for name, share in zip(("random", "risk", "uncertain"), shares, strict=True)]
    sizes = split_budget(made_plan(lanes, budget))
    assert sum(sizes.values()) == budget
    assert all(abs(sizes[lane.name] - budget * lane.share) < 1 for lane in lanes)


def test_a_lane_without_picks_is_said() -> None:
    selection = select(made_pool(), made_plan((Lane("random", 0.1), Lane("risk", 0.9)), budget=2))
    assert "lane random: its share of 2 picks is none" in selection.notes


def test_quotas_need_a_purposive_lane() -> None:
    plan = made_plan((Lane("random", 1.0),), quotas=(Quota("policy", "hate", at_least=3),))
    assert any(note.startswith("quotas: ") for note in select(made_pool(), plan).notes)


def test_the_frame_is_counted() -> None:
    pool = made_pool()
    frame = select(pool, made_plan(MIX)).frame
    assert frame["items"] == int(pool.eligible.any(axis=1).sum())
    assert frame["pairs"] == int(pool.eligible.sum())
    assert frame["policies"] == {p: int(pool.eligible[:, j].sum()) for j, p in enumerate(pool.policies)}
    assert sum(frame["languages"].values()) == frame["items"]  # type: ignore[attr-defined]
    assert frame["groups"] == 290
    assert set(frame) == {"items", "pairs", "groups", "units", "policies", "languages"}


def test_the_number_of_threads_changes_nothing() -> None:
    pool, plan = made_pool(n=3000), made_plan(MIX, budget=150)
    before, found = faiss.omp_get_max_threads(), []
    try:
        for threads in (1, 2, 4):
            faiss.omp_set_num_threads(threads)
            found.append(select(pool, plan))
            assert faiss.omp_get_max_threads() == threads
    finally:
        faiss.omp_set_num_threads(before)
    assert found[0] == found[1] == found[2]


def test_selecting_does_not_import_torch() -> None:
    code = "import sys, selection.select, selection.estimation; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
