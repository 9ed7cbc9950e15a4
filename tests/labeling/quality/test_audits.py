from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.quality.audits import Audit, audit_of, help_of, interval_of, recall_of
from selection.errors import NoLicence

REMOVED = Audit("removed", 9_000, 300, 285)
APPROVED = (
    Audit("low", 950_000, 400, 0),
    Audit("middle", 40_000, 600, 6),
    Audit("high", 1_000, 200, 50),
)


def test_the_fixture() -> None:
    found = recall_of(REMOVED, APPROVED)
    assert found.point == pytest.approx(0.929, abs=5e-4)
    assert found.floor == pytest.approx(0.525, abs=5e-4)
    assert found.empty == ("low",)


def test_without_an_empty_stratum_the_floor_is_the_point() -> None:
    found = recall_of(REMOVED, APPROVED[1:])
    assert found.floor == found.point
    assert found.empty == ()


def test_nothing_violates() -> None:
    assert math.isnan(recall_of(Audit("removed", 10, 10, 0), ()).point)


def test_the_n_that_would_help_is_the_fewest_that_does() -> None:
    told = help_of(REMOVED, APPROVED, 0.8)
    assert told is not None
    assert (told.name, told.checks) == ("low", 1512)

    def floor(more: int) -> float:
        return recall_of(REMOVED, (Audit("low", 950_000, 400 + more, 0), *APPROVED[1:])).floor

    assert floor(1512) >= 0.8 > floor(1511)


def test_no_number_helps_where_what_was_found_is_too_much() -> None:
    told = help_of(REMOVED, APPROVED, 0.95)
    assert told is not None
    assert (told.name, told.checks) == ("low", None)
    assert help_of(REMOVED, APPROVED, 0.5) is None
    assert help_of(REMOVED, APPROVED[1:], 0.99) is None


@settings(max_examples=60, deadline=None)
@given(
    items=st.integers(50, 10**6),
    checked=st.integers(1, 2000),
    other=st.integers(1, 500),
    wanted=st.floats(0.05, 0.99),
)
def test_the_help_is_exact(items: int, checked: int, other: int, wanted: float) -> None:
    approved = (Audit("big", items, checked, 0), Audit("small", 40, other, 0), Audit("found", 400, 100, 2))
    told = help_of(REMOVED, approved, wanted)
    if told is None:
        assert recall_of(REMOVED, approved).floor >= wanted
        return

    def floor(more: int) -> float:
        changed = [Audit(a.name, a.items, a.checked + more * (a.name == told.name), a.violating) for a in approved]
        return recall_of(REMOVED, changed).floor

    if told.checks is None:
        assert floor(10**9) < wanted
    else:
        assert floor(told.checks) >= wanted
        assert told.checks == 1 or floor(told.checks - 1) < wanted


def test_the_interval_holds_point_and_floor_of_the_fixture() -> None:
    low, high = interval_of(REMOVED, APPROVED)
    assert low < 0.525 < 0.929 < high < 1


def test_the_interval_holds_the_truth() -> None:
    """Three strata with known shares, drawn 150 times."""
    rng = np.random.default_rng(5)
    sizes, shares, checks = (2_000, 50_000, 3_000), (0.9, 0.002, 0.1), (150, 400, 200)
    bad = [n * p for n, p in zip(sizes, shares, strict=True)]
    truth, held = bad[0] / sum(bad), 0
    for _ in range(150):
        drawn = [Audit(str(k), n, m, int(rng.binomial(m, p))) for k, (n, p, m) in
                 enumerate(zip(sizes, shares, checks, strict=True))]  # fmt: skip
        low, high = interval_of(drawn[0], drawn[1:])
        held += low <= truth <= high
    print(f"recall interval held the truth in {held} of 150")
    assert held >= 142


def test_uneven_chances_count_as_fewer_checks() -> None:
    even = audit_of("a", 100, [True, False, False, False], [0.1] * 4)
    assert (even.checked, even.violating) == (4, 1)
    uneven = audit_of("a", 100, [True, False, False, False], [0.5, 0.1, 0.1, 0.1])
    assert uneven.violating / uneven.checked == pytest.approx(2 / 32)
    assert 3 < uneven.checked < 4
    views = audit_of("a", 5_000, [True, False], [0.1, 0.1], [300.0, 100.0])
    assert views.violating / views.checked == pytest.approx(0.75)


@pytest.mark.parametrize("chance", [None, 0.0, 1.5])
def test_an_unknown_chance_is_refused(chance: float | None) -> None:
    with pytest.raises(NoLicence, match="audit of low: a check has no inclusion probability"):
        audit_of("low", 100, [True, False], [0.5, chance])


def test_a_stratum_nobody_checked_is_refused() -> None:
    with pytest.raises(NoLicence, match="nothing of it was checked"):
        audit_of("low", 100, [], [])
