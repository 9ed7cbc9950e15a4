"""The parts of a change add up to it, whatever the strata."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.quality.kpi_split import Cell, split_kpi

RATE = st.floats(0, 1)
WEIGHT = st.one_of(st.just(0.0), st.floats(0.01, 1e6))


@st.composite
def cells(draw: st.DrawFn) -> list[Cell]:
    found = []
    for number in range(draw(st.integers(1, 6))):
        before, after = draw(WEIGHT), draw(WEIGHT)
        first, old = (draw(RATE), draw(RATE)) if before else (None, None)
        new = draw(RATE) if after else None
        found.append(Cell((str(number),), before, after, first, old, new, draw(st.booleans())))
    found.append(Cell(("both",), 1.0, 1.0, draw(RATE), draw(RATE), draw(RATE)))
    return found


def test_the_fixture() -> None:
    told = split_kpi([Cell(("a",), 0.7, 0.5, 0.02, 0.02, 0.02), Cell(("b",), 0.3, 0.5, 0.10, 0.10, 0.12)])
    parts = (told.total, told.mix, told.within, told.gold_relabel, told.policy_break)
    assert parts == pytest.approx((0.026, 0.018, 0.008, 0, 0))


def test_each_part_is_what_moved() -> None:
    still = Cell(("still",), 1, 1, 0.1, 0.1, 0.1)
    relabelled = split_kpi([still, Cell(("b",), 1, 1, 0.1, 0.3, 0.3)])
    assert (relabelled.gold_relabel, relabelled.within) == pytest.approx((0.1, 0))
    broken = split_kpi([still, Cell(("b",), 1, 1, 0.1, 0.1, 0.3, is_break=True)])
    assert (broken.policy_break, broken.within) == pytest.approx((0.1, 0))
    fresh = split_kpi([still, Cell(("b",), 0, 1, None, None, 0.5)])
    assert (fresh.mix, fresh.within, fresh.total) == pytest.approx((0.2, 0, 0.2))


@settings(max_examples=150, deadline=None)
@given(cells())
def test_the_parts_add_up(strata: list[Cell]) -> None:
    told = split_kpi(strata)
    old, new = sum(cell.weight_before for cell in strata), sum(cell.weight_after for cell in strata)
    first = math.fsum(c.weight_before * (c.first or 0) for c in strata) / old
    after = math.fsum(c.weight_after * (c.after or 0) for c in strata) / new
    assert told.total == pytest.approx(after - first, abs=1e-12)
    assert told.mix + told.within + told.gold_relabel + told.policy_break == pytest.approx(told.total, abs=1e-12)


def test_a_weight_without_a_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="has a weight and no rate"):
        split_kpi([Cell(("a",), 1, 1, 0.1, 0.1, None)])
    with pytest.raises(ValueError, match="a period has no weight"):
        split_kpi([Cell(("a",), 1, 0, 0.1, 0.1, None)])
