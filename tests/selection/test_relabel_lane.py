from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from selection.errors import BadPlan
from selection.relabel import SecondLooks, voices, worth_again, worth_new
from selection.select import select
from selection.strategies.pointwise import adjusted
from selection.types import Lane, Pick, Plan, Pool, Quota, Selection
from tests.contracts.strategy import StrategyContract
from tests.selection.made import made_plan, made_pool, shuffled

LANES = (Lane("random", 0.1), Lane("uncertain", 0.7, "margin"), Lane("relabel", 0.2))
BUDGET = 40
MOST = 8


class TestRelabelWithoutLabels(StrategyContract):
    lanes = LANES


def again(pool: Pool, count: int = 12, contradicted: float = 0.02, answers: int = 1) -> SecondLooks:
    """The pool's first items, labelled as violating the gravest policy, which the model doubts."""
    return SecondLooks(
        ids=pool.ids[:count],
        policies=np.ones(count, np.int64),
        answers=np.ones(count, np.bool_),
        probabilities=np.linspace(contradicted, contradicted + 0.01, count).astype(np.float64),
        groups=np.arange(count),
        pairs=np.repeat(np.arange(count), answers),
        people=np.tile(np.arange(answers), count),
        agree=np.ones(count * answers, np.bool_),
    )


def pool_of(count: int = 12) -> Pool:
    """As a round sees it: labelled pairs are not open."""
    pool = made_pool()
    eligible = pool.eligible.copy()
    eligible[:count, 1] = False
    return replace(pool, eligible=eligible)


def seconds(selection: Selection) -> list[Pick]:
    return [pick for pick in selection.picks if pick.lane == "relabel"]


def run(looks: SecondLooks | None, pool: Pool | None = None, **changes: Any) -> Selection:
    plan = replace(made_plan(LANES, BUDGET), **changes)
    return select(pool or pool_of(), plan, None, looks)


def test_doubtful_labels_take_the_whole_share_and_say_why() -> None:
    pool = pool_of()
    selection = run(again(pool))
    found = seconds(selection)
    assert len(selection.picks) == BUDGET
    assert [pick.item_id for pick in found] == list(pool.ids[:MOST])
    assert all(pick.pi is None for pick in found)
    assert found[0].reasons[0].startswith("relabel: the model says 0.02, 1 of 1 answers agree with violates; worth ")
    assert "the new pick it replaced" in found[0].reasons[0]
    assert found[0].probability == pytest.approx(float(pool.probabilities[0, 1]))
    told = selection.frame["second_looks"]
    assert isinstance(told, dict)
    assert (told["most"], told["candidates"], told["taken"], told["accuracy"]) == (MOST, 12, MOST, None)
    assert all(new > old for new, old in zip(told["worth"], told["replaced"], strict=True))
    assert any("8 of at most 8 picks are second looks, worth" in note for note in selection.notes)
    assert any("everybody counts alike" in note for note in selection.notes)


def test_safe_labels_take_nothing_and_the_picks_are_those_of_a_plan_without_the_lane() -> None:
    pool = pool_of()
    selection = run(again(pool, contradicted=0.97, answers=3))
    plain = select(pool, made_plan((LANES[0], replace(LANES[1], share=0.9)), BUDGET))
    assert selection.picks == plain.picks
    assert any("0 of at most 8 picks are second looks; the rest went to uncertain" in n for n in selection.notes)


def test_without_labels_the_share_goes_to_uncertain_and_the_note_says_so() -> None:
    selection = run(None)
    assert len(selection.picks) == BUDGET
    assert not seconds(selection)
    assert "lane relabel: no label may be looked at again yet, so its 8 picks went to uncertain" in selection.notes
    assert selection.frame["second_looks"] == {"most": 8, "candidates": 0, "taken": 0}


def test_each_is_worth_more_than_what_it_replaced_and_the_rest_stays() -> None:
    pool = pool_of(80)
    looks = replace(again(pool, 80), probabilities=np.linspace(0.02, 0.98, 80).astype(np.float64))
    selection = run(looks, pool)
    found = voices(looks)
    worth = dict(zip(looks.ids, worth_again(looks, found), strict=True))
    mine = seconds(selection)
    left = [worth[item] for item in looks.ids if item not in {pick.item_id for pick in mine}]
    assert 0 < len(mine) <= MOST
    assert min(worth[pick.item_id] for pick in mine) >= max(left) - 1e-9
    told: Any = selection.frame["second_looks"]
    plain = select(pool, made_plan((LANES[0], replace(LANES[1], share=0.9)), BUDGET))
    kept = {(p.item_id, p.policy) for p in selection.picks}
    gone = [p for p in plain.picks if (p.item_id, p.policy) not in kept]
    assert len(gone) == len(mine)
    plan = made_plan(LANES)
    for pick, replaced in zip(sorted(gone, key=lambda p: new_worth(p, plan, found)), told["replaced"], strict=True):
        assert new_worth(pick, plan, found) == pytest.approx(replaced, abs=1e-3)


def new_worth(pick: Pick, plan: Plan, found: Any) -> float:
    chance = adjusted(np.array([pick.probability]), np.array([plan.thresholds[pick.policy]]))
    return float(worth_new(chance, found)[0]) * plan.severities[pick.policy] / 4.0


def test_the_order_of_pool_and_labels_means_nothing() -> None:
    pool = pool_of()
    looks = again(pool)
    order = np.random.default_rng(3).permutation(12)
    other = replace(
        looks,
        ids=tuple(looks.ids[row] for row in order),
        probabilities=looks.probabilities[order],
        pairs=np.argsort(order)[looks.pairs],
    )
    assert run(other, shuffled(pool, 4)) == run(looks, pool)


def test_every_reason_names_the_lane_and_the_probability_is_the_scorers() -> None:
    pool = pool_of()
    for pick in seconds(run(again(pool), pool)):
        row, column = pool.ids.index(pick.item_id), pool.policies.index(pick.policy)
        assert (pick.reasons[0].split(":")[0], pick.probability) == (pick.lane, pool.probabilities[row, column])


def test_one_second_look_a_group_of_near_duplicates() -> None:
    looks = replace(again(pool_of()), groups=np.arange(12) // 4)
    assert len(seconds(run(looks))) == 3


def test_quotas_hold_for_second_looks_too() -> None:
    most = (Quota("policy", "threats", at_most=3),)
    selection = run(again(pool_of()), quotas=most)
    assert sum(p.policy == "threats" for p in selection.picks if p.lane in ("uncertain", "relabel")) <= 3
    least = (Quota("policy", "spam", at_least=30),)
    assert sum(p.policy == "spam" for p in run(again(pool_of()), quotas=least).picks if p.lane == "uncertain") >= 30


def test_a_bound_on_minutes_holds() -> None:
    pool = replace(pool_of(), minutes=np.ones(300, np.float32))
    dear = replace(again(pool), minutes=np.full(12, 1.5, np.float32))
    assert not seconds(run(dear, pool, max_minutes=40.0))
    assert len(seconds(run(dear, pool, max_minutes=42.0))) == 4  # half a minute more each
    assert len(seconds(run(dear, pool, max_minutes=None))) == MOST
    fair = replace(dear, minutes=np.full(12, 1.0, np.float32))
    assert len(seconds(run(fair, pool, max_minutes=40.0))) == MOST


def test_where_nothing_new_is_open_second_looks_fill_the_round() -> None:
    pool = pool_of()
    eligible = np.zeros_like(pool.eligible)
    eligible[20:70, 0] = True
    small = replace(pool, eligible=eligible)
    quotas = (Quota("policy", "hate", at_most=10),)  # chance takes four beside
    selection = run(again(pool), small, quotas=quotas, duplicate_cosine=None)
    assert len(seconds(selection)) == MOST
    assert len(selection.picks) == 4 + 10 + MOST


def test_the_lane_needs_uncertain_beside_it() -> None:
    with pytest.raises(BadPlan, match="relabel: what it does not use goes to the lane 'uncertain'"):
        select(made_pool(), made_plan((Lane("random", 0.9), Lane("relabel", 0.1))))
