from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selection import sift as module
from selection.blocks import Block, blocks_of
from selection.errors import BadPlan, BadPool, BudgetTooLarge, EmptyFrame
from selection.hashing import item_hashes
from selection.select import select, select_sifted
from selection.sift import Catch, Sift, Sifted, can_sift, sift
from selection.strategies.base import Labelled
from selection.types import F16, Lane, Plan, Pool, Quota, Selection
from tests.selection.made import made_plan, made_pool, shuffled

AUTO = Lane("uncertain", 0.5, "auto")
MIX = (Lane("random", 0.2), Lane("risk", 0.3), AUTO)
LANES = [
    (Lane("random", 1.0),),
    (Lane("risk", 1.0),),
    (Lane("random", 0.4), Lane("risk", 0.6)),
    (Lane("uncertain", 1.0, "auto"),),
    MIX,
]
QUOTAS = [
    (),
    (Quota("language", "pt", at_least=6),),
    (Quota("language", "en", at_most=2), Quota("policy", "spam", at_most=1)),
    (Quota("market", "br", at_least=3, at_most=4), Quota("language", "und", at_most=0), Quota("policy", "hate", 4)),
]


def pool_of(n: int, seed: int, near: float, eligible: float = 0.9) -> Pool:
    """A pool that knows its groups; ``near``: the share of items that have near-duplicates."""
    rng = np.random.default_rng(seed)
    pool = made_pool(n, 0, seed)
    groups = np.where(rng.random(n) < near, rng.integers(0, max(1, n // 6), n), 1000 + np.arange(n))
    return replace(
        pool,
        probabilities=rng.choice([pool.probabilities, np.round(pool.probabilities, 1)]),  # the latter tie
        eligible=rng.random(pool.eligible.shape) < eligible,
        markets=tuple(rng.choice(["", "br", "us"], n).tolist()),
        groups=groups.astype(np.int64),
    )


def labelled_of(pool: Pool, n: int) -> Labelled | None:
    answers = (pool.probabilities[:n] > 0.4).astype(np.float32)
    return Labelled(pool.embeddings[:n], answers, pool.probabilities[:n]) if n else None


def small_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """So few candidates that a pool of some hundred items is cut: of ``auto`` and of the sieve alike."""
    for name in ("selection.strategies.auto", "selection.sift"):
        monkeypatch.setattr(f"{name}.A_PICK", (1, 2))
        monkeypatch.setattr(f"{name}.TYPICAL_OF", 12)
    monkeypatch.setattr(module, "_PENDING_ROWS", 40)
    monkeypatch.setattr(module, "BUCKETS", 64)


def vectors_of(pool: Pool, sifted: Sifted) -> F16:
    rows = {item_id: row for row, item_id in enumerate(pool.ids)}
    found: F16 = pool.embeddings[[rows[item_id] for item_id in sifted.pool.ids]].astype(np.float16)
    return found


def streamed(pool: Pool, plan: Plan, rows: int, labelled: Labelled | None = None) -> Selection:
    sifted = sift(lambda: blocks_of(pool, item_hashes(pool.ids), rows), plan, pool.policies)
    return select_sifted(sifted, vectors_of(pool, sifted), plan, labelled)


def in_parts(blocks: Sequence[Block], of: Sequence[int], plan: Plan, policies: tuple[str, ...]) -> Sifted:
    """Blocks sifted on as many machines as ``of`` names, and merged."""
    machines = [Sift(plan, policies) for _ in range(max(of) + 1)]
    for block, machine in zip(blocks, of, strict=True):
        machines[machine].add(block)
    first = machines[-1]
    for other in machines[:-1]:
        first.merge(other)
    if first.catch() is None:
        return first.done()
    catches = [catch for _ in machines if isinstance(catch := first.catch(), Catch)]
    for block, machine in zip(blocks, of, strict=True):
        catches[machine].add(block)
    for catch in catches[1:]:
        catches[0].merge(catch)
    return first.done(catches[0])


@settings(deadline=None, max_examples=60)
@given(
    lanes=st.sampled_from(LANES),
    quotas=st.sampled_from(QUOTAS),
    seed=st.integers(0, 10_000),
    near=st.sampled_from([0.0, 0.3]),
    budget=st.integers(1, 40),
    rows=st.integers(1, 400),
    labels=st.sampled_from([0, 30, 210]),
    cosine=st.sampled_from([None, 0.95]),
)
def test_the_same_picks_as_of_the_whole_pool(
    lanes: tuple[Lane, ...],
    quotas: tuple[Quota, ...],
    seed: int,
    near: float,
    budget: int,
    rows: int,
    labels: int,
    cosine: float | None,
) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        small_lists(monkeypatch)
        pool = pool_of(400, seed, near)
        plan = made_plan(lanes, budget, seed, quotas, cosine)
        labelled = labelled_of(pool, labels)
        assert streamed(shuffled(pool, seed), plan, rows, labelled) == select(pool, plan, labelled)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000), rows=st.integers(20, 200), quotas=st.sampled_from(QUOTAS), data=st.data())
def test_any_parts_in_any_order_give_the_same_shortlist(
    seed: int, rows: int, quotas: tuple[Quota, ...], data: st.DataObject
) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        small_lists(monkeypatch)
        pool, plan = pool_of(400, seed, 0.2), made_plan(MIX, 20, seed, quotas)
        blocks = list(blocks_of(pool, item_hashes(pool.ids), rows))
        blocks = data.draw(st.permutations(blocks))
        machines = data.draw(st.lists(st.integers(0, 3), min_size=len(blocks), max_size=len(blocks)))
        one = sift(lambda: blocks_of(pool, item_hashes(pool.ids)), plan, pool.policies)
        other = in_parts(blocks, machines, plan, pool.policies)
        assert one.pool.ids == other.pool.ids
        assert one.whole.counts == other.whole.counts
        assert one.whole.units == other.whole.units
        picks = [select_sifted(sifted, vectors_of(pool, sifted), plan) for sifted in (one, other)]
        assert picks[0] == picks[1]


def test_the_shortlist_is_short_and_holds_the_whole_top_by_value(monkeypatch: pytest.MonkeyPatch) -> None:
    small_lists(monkeypatch)
    pool = pool_of(4000, 3, 0.0, eligible=1.0)
    pool = replace(pool, languages=("en",) * 4000, probabilities=made_pool(4000, 0, 3).probabilities)
    monkeypatch.setattr(module, "BUCKETS", 2**16)
    plan = made_plan(MIX, 20)
    short = set(sift(lambda: blocks_of(pool, item_hashes(pool.ids), 100), plan, pool.policies).pool.ids)
    assert len(short) < 400
    taus = np.array([plan.thresholds[policy] for policy in pool.policies])
    chances = np.clip(pool.probabilities.astype(np.float64), 1e-6, 1 - 1e-6)
    away = np.abs(np.log(chances / (1 - chances)) - np.log(taus / (1 - taus))).min(axis=1)
    assert {pool.ids[row] for row in np.argsort(away, kind="stable")[:40]} <= short


def test_a_large_pool_is_sifted_and_picks_the_same() -> None:
    pool, plan = pool_of(3000, 5, 0.1), made_plan(MIX, 30)
    assert select(pool, plan, sift_above=1000) == select(pool, plan)


def test_without_groups_a_large_pool_is_looked_at_whole() -> None:
    pool, plan = replace(pool_of(300, 5, 0.0), groups=None), made_plan(MIX, 30)
    assert select(pool, plan, sift_above=100) == select(pool, plan)


@pytest.mark.parametrize("twice", [True, False])
def test_ids_that_come_twice_are_named_in_a_large_pool(twice: bool) -> None:
    pool = pool_of(300, 5, 0.0)
    pool = replace(pool, ids=(*pool.ids[:-1], pool.ids[7] if twice else ""))
    with pytest.raises(BadPool, match=r"'item-00007' is there more than once \(rows 7 and 299\)" if twice else "empty"):
        select(pool, made_plan(MIX, 30), sift_above=100)


def test_a_row_that_is_no_number_is_named_by_its_item() -> None:
    pool = pool_of(300, 5, 0.0)
    pool.probabilities[211, 1] = np.nan
    with pytest.raises(BadPool, match=r"probabilities: row 11 \('item-00211'\) has nan for 'threats'"):
        streamed(pool, made_plan(MIX, 30), 100)


def test_a_shortlisted_embedding_that_is_none_is_named_by_its_item() -> None:
    pool, plan = pool_of(300, 5, 0.0), made_plan(MIX, 30)
    pool.embeddings[120] = np.nan
    with pytest.raises(BadPool, match=r"embeddings: row 120 \('item-00120'\) has length nan"):
        streamed(pool, plan, 100)


def test_empty_blocks_and_a_frame_of_none() -> None:
    pool, plan = pool_of(300, 5, 0.1), made_plan(MIX, 30)
    blocks = [block.of(np.zeros(0, np.int64)) for block in blocks_of(pool, item_hashes(pool.ids), 100)]
    with pytest.raises(EmptyFrame, match="none of the pool's 0 items"):
        sift(lambda: blocks, plan, pool.policies)
    mixed = [block for full in blocks_of(pool, item_hashes(pool.ids), 100) for block in (blocks[0], full)]
    sifted = sift(lambda: mixed, plan, pool.policies)
    assert select_sifted(sifted, vectors_of(pool, sifted), plan) == select(pool, plan)


def test_nothing_that_may_be_picked() -> None:
    pool = pool_of(300, 5, 0.1, eligible=0.0)
    with pytest.raises(EmptyFrame, match="none of the pool's 300 items") as whole:
        select(pool, made_plan(MIX, 30))
    with pytest.raises(EmptyFrame) as parts:
        streamed(pool, made_plan(MIX, 30), 100)
    assert str(parts.value) == str(whole.value)


def test_fewer_units_than_picks() -> None:
    pool, plan = pool_of(60, 5, 0.3), made_plan(MIX, 500)
    with pytest.raises(BudgetTooLarge) as whole:
        select(pool, plan)
    with pytest.raises(BudgetTooLarge) as parts:
        streamed(pool, plan, 10)
    assert str(parts.value) == str(whole.value)


@pytest.mark.parametrize(
    "change",
    [
        {"lanes": (Lane("stratified", 1.0),)},
        {"lanes": (Lane("uncertain", 1.0, "threshold"),)},
        {"per": "minute"},
        {"max_minutes": 10.0},
        {"per_author": 1},
    ],
)
def test_plans_that_must_see_the_whole_frame(change: dict[str, object]) -> None:
    plan = replace(made_plan(MIX), **change)  # type: ignore[arg-type]
    assert not can_sift(plan)
    with pytest.raises(BadPlan, match="give the whole pool to select"):
        Sift(plan, ("hate", "threats", "spam"))


def test_blocks_say_whose_near_duplicates_they_hold() -> None:
    pool = replace(pool_of(50, 5, 0.0), groups=None)
    with pytest.raises(BadPlan, match="duplicate_cosine: a stream does not hold"):
        streamed(pool, made_plan(MIX, 10), 10)


def test_the_lane_risk_needs_a_second_look() -> None:
    pool, plan = pool_of(50, 5, 0.0), made_plan(MIX, 10)
    first = Sift(plan, pool.policies)
    for block in blocks_of(pool, item_hashes(pool.ids)):
        first.add(block)
    with pytest.raises(BadPlan, match="risk: needs a second look"):
        first.done()


def test_hashes_that_nobody_gave_are_made() -> None:
    pool, plan = pool_of(200, 5, 0.2), made_plan(MIX, 20)
    bare = [replace(block, hashes=None) for block in blocks_of(pool, item_hashes(pool.ids), 50)]
    sifted = sift(lambda: bare, plan, pool.policies)
    assert select_sifted(sifted, vectors_of(pool, sifted), plan) == select(pool, plan)


def test_parts_of_different_plans_do_not_merge() -> None:
    one, other = (Sift(made_plan(MIX, budget), ("hate", "threats", "spam")) for budget in (10, 11))
    with pytest.raises(BadPlan, match="different plans"):
        one.merge(other)


@pytest.mark.parametrize(
    ("change", "field"),
    [({"budget": 0}, "budget"), ({"thresholds": {}}, "thresholds"), ({"severities": {"hate": 1.0}}, "severities")],
)
def test_a_plan_that_is_wrong_is_refused_as_of_a_small_pool(change: dict[str, object], field: str) -> None:
    pool, plan = pool_of(60, 5, 0.3), replace(made_plan(MIX, 5), **change)  # type: ignore[arg-type]
    with pytest.raises(BadPlan, match=field) as whole:
        select(pool, plan)
    with pytest.raises(BadPlan) as parts:
        select(pool, plan, sift_above=10)
    assert str(parts.value) == str(whole.value)


def test_a_quota_that_names_no_item_is_refused_as_of_a_small_pool() -> None:
    pool, plan = pool_of(60, 5, 0.3), made_plan(MIX, 5, quotas=(Quota("language", "xx", 1),))
    with pytest.raises(BadPlan, match="no such language"):
        select(pool, plan, sift_above=10)
