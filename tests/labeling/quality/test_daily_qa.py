"""Strata and draws: sums, floors, known probabilities, and the same draw for the same day."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from labeling.errors import InvalidInput
from labeling.quality.daily_qa import (
    DIMENSIONS,
    LEAST,
    LEVELS,
    MOST,
    Cell,
    Plan,
    Stratum,
    allocate,
    error_rates,
    places,
)

WORDS = {name: st.sampled_from([f"{name}1", f"{name}2", f"{name}3"]) for name in DIMENSIONS}
CELLS: st.SearchStrategy[dict[Cell, int]] = st.dictionaries(
    st.tuples(*WORDS.values()),
    st.integers(1, 400),
    min_size=1,
    max_size=25,
)
SEVERITIES = {"policy_id1": 1.0, "policy_id2": 4.0, "policy_id3": 16.0}


def planned(cells: dict[Cell, int], budget: int, floor: int = 2) -> Plan:
    return allocate(cells, SEVERITIES, dict.fromkeys(cells, 0.05), budget, floor)


def test_neymans_fixture() -> None:
    rates = {("p", "a", "en", "ok", "1"): 0.0005, ("p", "a", "en", "ok", "2"): 0.03, ("p", "a", "en", "ok", "3"): 0.45}
    cells = dict(zip(rates, (940_000, 50_000, 10_000), strict=True))
    plan = allocate(cells, {"a": 8.0}, rates, 1000)
    assert [stratum.picks for stratum in plan.strata] == [609, 247, 144]
    assert plan.level == DIMENSIONS


@settings(max_examples=60, deadline=None)
@given(cells=CELLS, budget=st.integers(6, 500), floor=st.integers(0, 2))
def test_picks_add_up_and_reach_the_floor_and_pi_is_a_probability(
    cells: dict[Cell, int], budget: int, floor: int
) -> None:
    plan = planned(cells, budget, floor)
    assert sum(stratum.picks for stratum in plan.strata) == min(budget, sum(cells.values()))
    for stratum in plan.strata:
        assert min(floor, stratum.units) <= stratum.picks <= stratum.units
        assert 0 < stratum.pi <= 1
    if floor:
        assert sum(stratum.units for stratum in plan.strata) == sum(cells.values())
    assert plan == planned(dict(reversed(cells.items())), budget, floor)


def test_severe_policies_and_doubtful_cells_get_more() -> None:
    mild, severe = ("p", "policy_id1", "en", "ok", "a"), ("p", "policy_id3", "en", "ok", "a")
    even = {mild: 1000, severe: 1000}
    by_key = {stratum.key: stratum.picks for stratum in planned(even, 170).strata}
    assert by_key[severe] == pytest.approx(16 * by_key[mild], rel=0.1)
    rates = {mild: 0.2, severe: 0.0125}
    found = {s.key: s.picks for s in allocate(even, dict.fromkeys(SEVERITIES, 1.0), rates, 200).strata}
    assert found[mild] > 3 * found[severe]


def test_where_the_budget_is_short_strata_are_cut_by_less() -> None:
    cells = {(f"p{i % 2}", "policy_id1", f"l{i % 4}", "ok", f"who{i}"): 50 for i in range(24)}
    assert [planned(cells, n).level for n in (48, 47, 8, 7)] == [LEVELS[0], LEVELS[1], LEVELS[1], LEVELS[2]]
    assert planned(cells, 4).strata[0].units == 600
    with pytest.raises(InvalidInput, match="3 re-reviews are too few for 2 projects; give 4 at least"):
        planned(cells, 3)


@settings(max_examples=100, deadline=None)
@example(units=4, share=1.0, start=0.9999999999999998)
@given(units=st.integers(1, 5000), share=st.floats(0, 1), start=st.floats(0, 1, exclude_max=True))
def test_places_are_distinct_and_as_many_as_planned(units: int, share: float, start: float) -> None:
    picks = max(1, round(share * units))
    found = places(Stratum(("p",), units, picks), start)
    assert len(set(found)) == picks
    assert set(found) <= set(range(units))


def test_every_place_has_the_chance_that_pi_says() -> None:
    stratum = Stratum(("p",), 10, 4)
    starts = (np.arange(20_000) + 0.5) / 20_000
    hits = np.bincount([place for start in starts for place in places(stratum, float(start))], minlength=10)
    assert hits / 20_000 == pytest.approx(np.full(10, stratum.pi), abs=1e-3)


def test_rates_are_drawn_towards_the_wider_ones() -> None:
    new, seen, other = ("p", "a", "en", "ok", "new"), ("p", "a", "en", "ok", "seen"), ("p", "b", "en", "ok", "x")
    rates = error_rates({seen: (180, 60)}, [new, seen, other], 0.05)
    assert rates[other] == pytest.approx(0.05)
    assert rates[new] == pytest.approx(61 / 200)
    assert rates[new] < rates[seen] < 60 / 180
    assert error_rates({seen: (9000, 9000)}, [seen], 0.05)[seen] == MOST
    assert error_rates({seen: (90_000, 0)}, [seen], 0.05)[seen] == LEAST
