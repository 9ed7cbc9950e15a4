from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from labeling.errors import InvalidInput
from labeling.exposure import exposure_of
from labeling.handout import day_start

NOW = datetime(2026, 3, 30, 1, 0, tzinfo=UTC)  # the night after clocks went forward in Lisbon


class Looks:
    """What somebody saw; only what the use case asks for."""

    def __init__(self, *looks: tuple[str, datetime, float]) -> None:
        self.looks = looks

    def looks_of(self, person: str, since: datetime) -> list[tuple[str, datetime, float]]:
        assert person == "ann"
        return [one for one in self.looks if one[1] >= since]


def test_each_day_counts_each_task_once_in_the_settings_zone() -> None:
    midnight = datetime(2026, 3, 29, 23, 0, tzinfo=UTC)  # in Lisbon
    desks = Looks(
        ("a", midnight - timedelta(minutes=1), 2.0),
        ("a", midnight, 2.0),
        ("a", midnight + timedelta(hours=1), 2.0),
        ("b", midnight + timedelta(hours=1), 0.5),
        ("c", midnight - timedelta(days=20), 9.0),
    )
    days = exposure_of(desks, "ann", NOW, "Europe/Lisbon", 3)
    assert [(one.day, one.units) for one in days] == [
        (date(2026, 3, 28), 0.0),
        (date(2026, 3, 29), 2.0),
        (date(2026, 3, 30), 2.5),
    ]
    assert day_start(NOW, "Europe/Lisbon") == midnight
    with pytest.raises(InvalidInput, match="days"):
        exposure_of(desks, "ann", NOW, "UTC", 0)
