"""Windows of whole weeks, in a time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from labeling.errors import InvalidInput
from labeling.insights.daily_qa import bounds

WEEK = timedelta(days=7)
MOST_DAYS = 400


@dataclass(frozen=True, slots=True)
class Window:
    """The days from ``first`` to ``last``, both included."""

    first: date
    last: date
    zone: str

    @property
    def since(self) -> datetime:
        return bounds(self.first, self.zone)[0]

    @property
    def until(self) -> datetime:
        return bounds(self.last, self.zone)[1]

    def holds(self, at: datetime) -> bool:
        """Whether a moment lies in it."""
        return self.since <= at < self.until

    def as_dict(self) -> dict[str, object]:
        """JSON-able."""
        return {"from": self.first.isoformat(), "to": self.last.isoformat(), "zone": self.zone}


def window(first: date, last: date, zone: str) -> Window:
    """Raises InvalidInput when it ends before it begins, or is longer than 400 days."""
    if not timedelta() <= last - first < timedelta(days=MOST_DAYS):
        raise InvalidInput(
            f"window {first.isoformat()}/{last.isoformat()}: must end on its first day or later, in {MOST_DAYS} days"
        )
    return Window(first, last, zone)


def two_windows(last: date, weeks: int, zone: str) -> tuple[Window, Window]:
    """The ``weeks`` weeks up to and with ``last``, behind those before them: (before, after)."""
    begins = last - weeks * WEEK + timedelta(days=1)
    return window(begins - weeks * WEEK, begins - timedelta(days=1), zone), window(begins, last, zone)


def weekly(last: date, weeks: int, zone: str) -> list[Window]:
    """Single weeks up to and with ``last``, the oldest first."""
    return [window(last - (k + 1) * WEEK + timedelta(days=1), last - k * WEEK, zone) for k in reversed(range(weeks))]
