"""Bad input to any lane: a clear error that names what is wrong, or a fallback that is said; never a silent one."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from selection.errors import BadPlan, BadPool, BudgetTooLarge, EmptyFrame
from selection.estimation import hajek
from selection.select import select
from selection.types import LANES, Lane, Plan, Pool, Quota
from tests.selection.made import made_plan, made_pool


@pytest.fixture(params=LANES)
def lane(request: pytest.FixtureRequest) -> Lane:
    return Lane(request.param, 1.0)


def plan_of(lane: Lane, budget: int = 20, **changes: Any) -> Plan:
    """That lane alone; ``relabel``, which gives back to ``uncertain`` what it does not use, beside that one."""
    lanes = (Lane("uncertain", 0.5), Lane("relabel", 0.5)) if lane.name == "relabel" else (lane,)
    return dataclasses.replace(made_plan(lanes, budget=budget), **changes)


def no_items() -> Pool:
    pool = made_pool(10, copies=0)
    none = np.zeros(0, dtype=np.int64)
    return dataclasses.replace(
        pool,
        ids=(),
        languages=(),
        probabilities=pool.probabilities[none],
        embeddings=pool.embeddings[none],
        eligible=pool.eligible[none],
        disagreement=None,
    )


def test_an_empty_pool(lane: Lane) -> None:
    with pytest.raises(EmptyFrame, match="none of the pool's 0 items"):
        select(no_items(), plan_of(lane))


@pytest.mark.parametrize(("budget", "error"), [(0, BadPlan), (-1, BadPlan), (10_000, BudgetTooLarge)])
def test_a_budget_of_nothing_or_above_the_pool(lane: Lane, budget: int, error: type[Exception]) -> None:
    with pytest.raises(error, match="budget"):
        select(made_pool(60), plan_of(lane, budget))


def test_a_budget_of_the_whole_pool(lane: Lane) -> None:
    pool = made_pool(40, copies=0)
    everything = int(pool.eligible.sum())
    selection = select(pool, plan_of(lane, everything, duplicate_cosine=None))
    if lane.name in ("uncertain", "relabel"):  # one policy an item
        assert selection.notes[0].startswith(f"lane uncertain is short by {everything - len(selection.picks)}: ")
    else:
        assert len(selection.picks) == everything
        assert all(pick.pi == pytest.approx(1.0) for pick in selection.picks)


@pytest.mark.parametrize("value", [np.nan, np.inf, 3.0])
def test_embeddings_that_are_no_unit_vectors(lane: Lane, value: float) -> None:
    pool = made_pool(60)
    embeddings = pool.embeddings.copy()
    embeddings[7, 2] = value
    with pytest.raises(BadPool, match=r"embeddings: row 7 \('item-00007'\) has length"):
        select(dataclasses.replace(pool, embeddings=embeddings), plan_of(lane))


@pytest.mark.parametrize("value", [np.nan, -0.1, 1.1])
def test_probabilities_that_are_none(lane: Lane, value: float) -> None:
    pool = made_pool(60)
    probabilities = pool.probabilities.copy()
    probabilities[7, 1] = value
    with pytest.raises(BadPool, match=r"probabilities: row 7 \('item-00007'\) has"):
        select(dataclasses.replace(pool, probabilities=probabilities), plan_of(lane))


@pytest.mark.parametrize("distinct", [0, 1, 5])
def test_fewer_distinct_vectors_than_picks(lane: Lane, distinct: int) -> None:
    pool = made_pool(90, copies=0)
    vectors = np.zeros_like(pool.embeddings)
    if distinct:
        vectors[:] = pool.embeddings[np.arange(90) % distinct]
    selection = select(dataclasses.replace(pool, embeddings=vectors), plan_of(lane, 30, duplicate_cosine=None))
    assert len(selection.picks) == 30
    if lane.name in ("uncertain", "relabel"):
        assert any(note.startswith("diversity: only ") for note in selection.notes)


@pytest.mark.parametrize("chance", [0.0, 1.0])
def test_a_policy_that_nothing_or_everything_violates_for_certain(lane: Lane, chance: float) -> None:
    pool = made_pool(90, copies=0)
    probabilities = pool.probabilities.copy()
    probabilities[:, 1] = chance
    for given in (probabilities, np.full_like(probabilities, chance)):
        selection = select(dataclasses.replace(pool, probabilities=given), plan_of(lane, 60))
        assert len(selection.picks) == 60
        assert all(pick.pi is None or 0 < pick.pi <= 1 for pick in selection.picks)


def test_answers_without_a_violation_leave_room_for_some() -> None:
    picks = select(made_pool(200, copies=0), plan_of(Lane("stratified", 1.0), 60)).picks
    found = hajek([0] * 60, [pick.pi for pick in picks], strata=[pick.stratum for pick in picks])
    assert (found.value, found.low) == (0.0, 0.0)
    assert 0.02 < found.high < 0.2


def test_a_quota_that_cannot_be_met_is_said_and_one_that_nothing_can_meet_is_refused() -> None:
    pool = made_pool(90, copies=0)
    few = dataclasses.replace(pool, languages=("pt",) * 3 + ("en",) * 87)
    told = select(few, plan_of(Lane("uncertain", 1.0), quotas=(Quota("language", "pt", at_least=9),))).notes
    assert "quota language pt: at least 9 asked for, 3 picked" in told
    for lane in LANES:
        with pytest.raises(BadPlan, match="the pool has no such language"):
            select(few, plan_of(Lane(lane, 1.0), quotas=(Quota("language", "de", at_least=1),)))


def test_a_quota_without_a_lane_to_bound_is_said() -> None:
    told = select(made_pool(90), plan_of(Lane("stratified", 1.0), quotas=(Quota("policy", "hate", at_most=1),))).notes
    assert any("no lane 'uncertain'" in note for note in told)


@pytest.mark.parametrize(("shares", "total"), [((0.6, 0.6), "1.2"), ((0.2, 0.3), "0.5")])
def test_lanes_that_do_not_add_up(shares: tuple[float, float], total: str) -> None:
    lanes = (Lane("random", shares[0]), Lane("stratified", shares[1]))
    with pytest.raises(BadPlan, match=f"lanes: shares add up to {total}; they must add up to 1"):
        select(made_pool(60), made_plan(lanes, budget=20))


def test_a_share_that_is_no_pick_is_said() -> None:
    lanes = (Lane("random", 0.01), Lane("stratified", 0.99))
    assert "lane random: its share of 10 picks is none" in select(made_pool(60), made_plan(lanes, budget=10)).notes
