from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selection.errors import BadPlan, BadPool
from selection.select import select
from selection.types import Lane, Plan, Pool, Selection
from tests.selection.made import made_plan, made_pool, shuffled

UNCERTAIN = (Lane("uncertain", 1.0),)


def priced_pool(n: int = 300, seed: int = 0) -> Pool:
    rng = np.random.default_rng(seed + 50)
    return dataclasses.replace(
        made_pool(n, copies=0, seed=seed),
        minutes=rng.uniform(0.3, 6.0, n).astype(np.float32),
        exposure=rng.uniform(0.0, 4.0, n).astype(np.float32),
    )


def planned(budget: int = 30, lanes: tuple[Lane, ...] = UNCERTAIN, **changes: Any) -> Plan:
    return dataclasses.replace(made_plan(lanes, budget=budget), **changes)


def cost(pool: Pool, field: str, selection: Selection) -> float:
    costs = getattr(pool, field)
    return float(sum(costs[pool.ids.index(pick.item_id)] for pick in selection.picks))


@pytest.mark.parametrize(("per", "field"), [("minute", "minutes"), ("exposure", "exposure")])
def test_a_lane_that_counts_costs_less_for_as_many_picks(per: str, field: str) -> None:
    pool = priced_pool()
    plain, wise = select(pool, planned()), select(pool, planned(per=per))
    assert len(wise.picks) == len(plain.picks) == 30
    assert cost(pool, field, wise) < 0.7 * cost(pool, field, plain)
    assert all(any(why.endswith(f"per {per}") for why in pick.reasons) for pick in wise.picks)
    assert select(shuffled(pool, 3), planned(per=per)) == wise


def test_costs_change_nothing_where_a_plan_does_not_ask() -> None:
    pool = priced_pool()
    bare = dataclasses.replace(pool, minutes=None, exposure=None)
    assert select(pool, planned()) == select(bare, planned())


def test_the_minutes_of_a_plan_are_never_spent_twice() -> None:
    pool = priced_pool()
    selection = select(pool, planned(60, (Lane("random", 0.3), Lane("uncertain", 0.7)), max_minutes=110.0))
    assert 100.0 < cost(pool, "minutes", selection) <= 110.0
    assert sum(pick.lane == "random" for pick in selection.picks) == 18  # chance keeps its picks, whatever they cost
    assert len(selection.picks) < 60
    assert "max_minutes 110" in selection.notes[0]


def test_lanes_of_chance_that_take_more_than_there_is_are_refused() -> None:
    for lanes in ((Lane("random", 1.0),), (Lane("random", 0.5), Lane("uncertain", 0.5))):
        with pytest.raises(
            BadPlan, match=r"max_minutes: the picks of random, .* take [\d.]+ minutes, above .* of 5: lower"
        ):
            select(priced_pool(), planned(60, lanes, max_minutes=5.0))


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 1000), minutes=st.floats(0.4, 200), per=st.sampled_from(["pick", "minute", "exposure"]))
def test_a_bound_holds_or_the_budget_does(seed: int, minutes: float, per: str) -> None:
    pool = priced_pool(80, seed)
    selection = select(pool, planned(25, per=per, max_minutes=minutes))
    assert cost(pool, "minutes", selection) <= minutes + 1e-3
    assert len(selection.picks) == 25 or any("short by" in note for note in selection.notes)


@pytest.mark.parametrize(
    ("changes", "plan", "says"),
    [
        ({}, {"per": "hour"}, "per: 'hour' is unknown"),
        ({}, {"max_minutes": 0.0}, "max_minutes: must be above 0"),
        ({"exposure": None}, {"per": "exposure"}, "per: the pool does not say what exposure"),
        ({"minutes": None}, {"per": "minute"}, "per: the pool does not say how many minutes"),
        ({"minutes": None}, {"max_minutes": 5.0}, "max_minutes: the pool does not say how many minutes"),
    ],
)
def test_a_plan_that_cannot_be_priced_is_refused(changes: dict[str, Any], plan: dict[str, Any], says: str) -> None:
    with pytest.raises(BadPlan, match=says):
        select(dataclasses.replace(priced_pool(), **changes), planned(**plan))


@pytest.mark.parametrize(("field", "value"), [("minutes", 0.0), ("minutes", np.nan), ("exposure", -1.0)])
def test_a_cost_that_is_none_is_refused(field: str, value: float) -> None:
    pool = priced_pool()
    costs = getattr(pool, field).copy()
    costs[7] = value
    with pytest.raises(BadPool, match=rf"{field}: row 7 \('item-00007'\) costs"):
        select(dataclasses.replace(pool, **{field: costs}), planned())


def test_costs_of_nothing_are_no_failure() -> None:
    pool = dataclasses.replace(priced_pool(), exposure=np.zeros(300, np.float32))
    assert len(select(pool, planned(per="exposure")).picks) == 30
