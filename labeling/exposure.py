"""How much harm somebody has looked at, day by day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from labeling.errors import InvalidInput
from labeling.handout import day_start
from labeling.store.annotator_interface import Looks

DAYS = 14


@dataclass(frozen=True, slots=True)
class ExposureDay:
    """``units`` of what somebody answered or skipped on a day, each task once a day."""

    day: date
    units: float


def exposure_of(looked: Looks, person: str, now: datetime, zone: str, days: int = DAYS) -> list[ExposureDay]:
    """The last ``days`` days in a time zone, today last; a day counts as the hand-out counts today."""
    if days < 1:
        raise InvalidInput(f"days: must be positive, found {days}")
    today = now.astimezone(ZoneInfo(zone)).date()
    all_days = [today - timedelta(days=back) for back in range(days - 1, -1, -1)]
    first = datetime(all_days[0].year, all_days[0].month, all_days[0].day, 12, tzinfo=ZoneInfo(zone))
    seen: dict[tuple[date, str], float] = {}
    for task_id, at, units in looked.looks_of(person, day_start(first, zone)):
        seen[at.astimezone(ZoneInfo(zone)).date(), task_id] = units
    return [
        ExposureDay(day, round(sum(units for (when, _), units in sorted(seen.items()) if when == day), 3))
        for day in all_days
    ]
