from __future__ import annotations

import math

import pytest

from labeling.quality.audits import Audit, recall_of

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
