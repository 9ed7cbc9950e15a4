from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selection.errors import BadPlan, BadPool
from selection.select import select
from selection.types import Lane, Pool, Quota
from tests.selection.made import POLICIES, made_plan, made_pool, shuffled

UNCERTAIN = (Lane("uncertain", 1.0),)


def test_quotas_are_kept() -> None:
    pool = made_pool()
    quotas = (Quota("policy", "spam", at_least=15), Quota("language", "pt", at_least=10, at_most=12))
    selection = select(pool, made_plan(UNCERTAIN, budget=40, quotas=quotas))
    tags = dict(zip(pool.ids, pool.languages, strict=True))
    assert len(selection.picks) == 40
    assert Counter(pick.policy for pick in selection.picks)["spam"] >= 15
    assert 10 <= Counter(tags[pick.item_id] for pick in selection.picks)["pt"] <= 12
    assert selection.notes == ()
    assert sum("quota: policy spam" in pick.reasons for pick in selection.picks) == 15


def test_a_ceiling_is_filled_with_others() -> None:
    quotas = tuple(Quota("policy", policy, at_most=5) for policy in POLICIES[:2])
    picks = select(made_pool(), made_plan(UNCERTAIN, budget=60, quotas=quotas)).picks
    assert Counter(pick.policy for pick in picks) == {"hate": 5, "threats": 5, "spam": 50}


def test_ceilings_that_leave_nothing_are_said() -> None:
    quotas = tuple(Quota("policy", policy, at_most=5) for policy in POLICIES)
    selection = select(made_pool(), made_plan(UNCERTAIN, budget=60, quotas=quotas))
    assert len(selection.picks) == 15
    assert selection.notes[0].startswith("lane uncertain is short by 45: ")


def test_a_ceiling_of_none_shuts_a_policy_out() -> None:
    quotas = (Quota("policy", "threats", at_most=0),)
    picks = select(made_pool(), made_plan(UNCERTAIN, quotas=quotas)).picks
    assert "threats" not in {pick.policy for pick in picks}


def test_a_floor_above_the_frame_is_said() -> None:
    pool = made_pool()
    eligible = pool.eligible.copy()
    eligible[3:, 0] = False
    eligible[:3, 0] = True
    plan = made_plan(UNCERTAIN, budget=40, quotas=(Quota("policy", "hate", at_least=8),))
    selection = select(dataclasses.replace(pool, eligible=eligible), plan)
    assert len(selection.picks) == 40
    assert "quota policy hate: at least 8 asked for, 3 picked" in selection.notes


def test_floors_above_the_lane_are_said() -> None:
    quotas = tuple(Quota("policy", policy, at_least=6) for policy in POLICIES)
    selection = select(made_pool(), made_plan(UNCERTAIN, budget=10, quotas=quotas))
    assert len(selection.picks) == 10
    assert selection.notes == (
        "quota policy threats: at least 6 asked for, 4 picked",
        "quota policy spam: at least 6 asked for, 0 picked",
    )


def test_a_pick_counts_for_every_quota_it_meets() -> None:
    pool = dataclasses.replace(made_pool(), languages=("pt",) * 300)
    quotas = (Quota("policy", "hate", at_least=6), Quota("language", "pt", at_least=6))
    selection = select(pool, made_plan(UNCERTAIN, budget=6, quotas=quotas))
    assert {pick.policy for pick in selection.picks} == {"hate"}
    assert selection.notes == ()


def test_quotas_leave_the_lanes_of_chance_alone() -> None:
    lanes = (Lane("random", 0.5), Lane("uncertain", 0.5))
    bounded = made_plan(lanes, quotas=(Quota("policy", "hate", at_most=0),))
    rounds = [select(made_pool(), plan) for plan in (made_plan(lanes), bounded)]
    chance = [[pick for pick in selection.picks if pick.lane == "random"] for selection in rounds]
    assert chance[0] == chance[1]
    assert "hate" in {pick.policy for pick in chance[0]}


def test_severity_decides_between_policies_of_one_item() -> None:
    pool = made_pool(policies=("hate", "threats"), copies=0)
    same = np.repeat(pool.probabilities[:, :1], 2, axis=1)
    plan = dataclasses.replace(made_plan(UNCERTAIN), thresholds={"hate": 0.5, "threats": 0.5})
    everyone = dataclasses.replace(pool, probabilities=same, eligible=np.ones_like(pool.eligible))
    assert {pick.policy for pick in select(everyone, plan).picks} == {"threats"}


@pytest.mark.parametrize("policies", [POLICIES, POLICIES[:1]])
def test_each_pick_has_a_cluster_of_its_own(policies: tuple[str, ...]) -> None:
    picks = select(made_pool(policies=policies), made_plan(UNCERTAIN, budget=50)).picks
    clusters = [reason for pick in picks for reason in pick.reasons if reason.startswith("diverse: ")]
    assert len(clusters) == len(set(clusters)) == 50


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    budget=st.integers(1, 60),
    floors=st.tuples(*[st.integers(0, 12)] * 3),
    spare=st.tuples(*[st.one_of(st.none(), st.integers(0, 12))] * 3),
)
def test_quotas_hold_or_are_said(
    seed: int, budget: int, floors: tuple[int, ...], spare: tuple[int | None, ...]
) -> None:
    pool = made_pool(n=80, copies=8, seed=seed)
    keys = (("policy", "hate"), ("policy", "spam"), ("language", "en"))
    quotas = [
        Quota(key, value, at_least, None if more is None else at_least + more)
        for (key, value), at_least, more in zip(keys, floors, spare, strict=True)
    ]
    plan = made_plan(UNCERTAIN, budget, seed, quotas)
    selection = select(pool, plan)
    tags = dict(zip(pool.ids, pool.languages, strict=True))
    for quota in quotas:
        met = sum((p.policy if quota.key == "policy" else tags[p.item_id]) == quota.value for p in selection.picks)
        assert quota.at_most is None or met <= quota.at_most
        said = any(note.startswith(f"quota {quota.key} {quota.value}: ") for note in selection.notes)
        assert said == (met < quota.at_least)
    assert len(selection.picks) == budget or any("short by" in note for note in selection.notes)
    assert select(shuffled(pool, seed), plan) == selection


def test_disagreement_times_severity_decides() -> None:
    pool = made_pool(40, copies=0)
    assert pool.disagreement is not None
    plan = made_plan((Lane("uncertain", 1.0, "disagreement"),), budget=5)
    picks = select(pool, plan).picks
    weights = np.array([plan.severities[policy] for policy in pool.policies])
    best = np.where(pool.eligible, pool.disagreement * weights, -1.0)  # an item is asked about under its best policy
    top = int(best.max(axis=1).argmax())
    assert (pool.ids[top], pool.policies[int(best[top].argmax())]) in {(pick.item_id, pick.policy) for pick in picks}
    for pick in picks:
        assert pick.policy == pool.policies[int(best[pool.ids.index(pick.item_id)].argmax())]
    for pick in picks:
        told = pool.disagreement[pool.ids.index(pick.item_id), pool.policies.index(pick.policy)] / np.log(2)
        assert pick.reasons[0] == f"uncertain: u={told:.2f} by disagreement"


# --- markets, modalities, authors ---


def named_pool(n: int = 300, authors: int = 20) -> Pool:
    rng = np.random.default_rng(7)
    return dataclasses.replace(
        made_pool(n, copies=0),
        markets=tuple(rng.choice(["br", "de", ""], n).tolist()),
        modalities=tuple(rng.choice(["text", "image"], n).tolist()),
        authors=tuple(f"u{number}" if number else "" for number in rng.integers(0, authors, n)),
    )


def test_quotas_on_markets_and_modalities_are_kept() -> None:
    pool = named_pool()
    quotas = (Quota("market", "br", at_least=20), Quota("modality", "image", at_most=6))
    selection = select(pool, made_plan(UNCERTAIN, budget=40, quotas=quotas))
    assert pool.markets is not None
    assert pool.modalities is not None
    rows = [pool.ids.index(pick.item_id) for pick in selection.picks]
    assert sum(pool.markets[row] == "br" for row in rows) >= 20
    assert sum(pool.modalities[row] == "image" for row in rows) <= 6
    assert len(rows) == 40
    assert selection.frame["markets"] == {m: pool.markets.count(m) for m in ("br", "de")}


@pytest.mark.parametrize("most", [1, 3])
def test_an_author_has_no_more_than_its_share_and_the_unknown_are_not_bounded(most: int) -> None:
    pool = dataclasses.replace(named_pool(), eligible=np.ones((300, 3), dtype=bool))
    plan = dataclasses.replace(made_plan(UNCERTAIN, budget=30), per_author=most)
    selection = select(pool, plan)
    assert pool.authors is not None
    counts = Counter(pool.authors[pool.ids.index(pick.item_id)] for pick in selection.picks)
    unknown = counts.pop("", 0)
    assert sum(counts.values()) + unknown == 30
    assert max(counts.values()) <= most
    assert select(shuffled(pool, 3), plan) == selection


def test_a_bound_per_author_that_leaves_too_few_is_said() -> None:
    pool = dataclasses.replace(named_pool(), authors=("only",) * 300)
    selection = select(pool, dataclasses.replace(made_plan(UNCERTAIN, budget=30), per_author=4))
    assert len(selection.picks) == 4
    assert selection.notes[0].startswith("lane uncertain is short by 26: ")


def test_the_lanes_of_chance_know_no_authors() -> None:
    pool = dataclasses.replace(named_pool(), authors=("only",) * 300)
    plan = dataclasses.replace(made_plan((Lane("random", 1.0),), budget=30), per_author=1)
    assert len(select(pool, plan).picks) == 30


@pytest.mark.parametrize(
    ("changes", "plan", "says"),
    [
        (
            {"markets": None},
            {"quotas": (Quota("market", "br", 1),)},
            "market 'br': no item names its market: bring it in",
        ),
        ({"markets": ("",) * 300}, {"quotas": (Quota("market", "br", 1),)}, "no item names its market"),
        ({}, {"quotas": (Quota("market", "", 1),)}, "the pool has no such market"),
        ({}, {"quotas": (Quota("modality", "video", 1),)}, "the pool has no such modality"),
        ({"authors": None}, {"per_author": 2}, "per_author: no item names its author: bring it in"),
        ({}, {"per_author": 0}, "per_author: must be at least 1, found 0"),
    ],
)
def test_a_bound_on_a_field_that_items_lack_is_refused(
    changes: dict[str, Any], plan: dict[str, Any], says: str
) -> None:
    with pytest.raises(BadPlan, match=says):
        select(dataclasses.replace(named_pool(), **changes), dataclasses.replace(made_plan(UNCERTAIN), **plan))


def test_a_field_of_another_length_is_refused() -> None:
    with pytest.raises(BadPool, match="authors: expected 300 words, found 2"):
        select(dataclasses.replace(named_pool(), authors=("a", "b")), made_plan(UNCERTAIN))
