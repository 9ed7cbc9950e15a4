from __future__ import annotations

from datetime import date, timedelta

import pytest

from labeling.errors import InvalidInput
from labeling.insights.weeks import two_windows, weekly, window

LAST = date(2026, 3, 29)  # a day of 23 hours in Lisbon


def test_windows_meet_and_hold_whole_days() -> None:
    before, after = two_windows(LAST, 2, "Europe/Lisbon")
    assert (before.first, after.last) == (date(2026, 3, 2), LAST)
    assert before.until == after.since
    assert after.until - after.since == timedelta(days=14, hours=-1)
    assert after.holds(after.since)
    assert not after.holds(after.until)
    weeks = weekly(LAST, 4, "Europe/Lisbon")
    assert (weeks[0].first, weeks[-1].last) == (before.first, LAST)
    assert [one.until for one in weeks[:-1]] == [one.since for one in weeks[1:]]


@pytest.mark.parametrize("first", [LAST + timedelta(days=1), LAST - timedelta(days=400)])
def test_a_window_that_is_none_is_refused(first: date) -> None:
    with pytest.raises(InvalidInput, match="must end on its first day or later, in 400 days"):
        window(first, LAST, "UTC")
