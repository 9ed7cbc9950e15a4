"""What the ledger keeps of trends: alerts, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Protocol


class AlertState(StrEnum):
    """``open``: nobody has looked; ``watched``: a round asks people about it."""

    OPEN = "open"
    WATCHED = "watched"


@dataclass(frozen=True, slots=True)
class TrendAlert:
    """Something that stood out. ``key`` says what, so that tomorrow's alert of the same is this one: the clusters'
    version, kind, market and cluster; a theme has a key of its own and is known again by its items. ``first_day``,
    ``last_day``: UTC days on which it stood. ``body``: the newest day's figures, JSON-able, without content.
    ``item_ids``: the items behind it, at most ``labeling.insights.trends.MOST_ITEMS``."""

    alert_id: str
    key: str
    first_day: date
    last_day: date
    body: dict[str, object]
    item_ids: tuple[str, ...]
    state: AlertState = AlertState.OPEN
    round_id: str = ""


class Trends(Protocol):
    """Alerts of trends."""

    def all(self) -> list[TrendAlert]:
        """The newest first."""

    def get(self, alert_id: str) -> TrendAlert:
        """Raises NotFound."""

    def put(self, alert: TrendAlert) -> None:
        """Insert; of one that is there the last day, the figures and the items are replaced."""

    def watch(self, alert_id: str, round_id: str, actor: str) -> TrendAlert:
        """A round asks about it, with a line of the audit; a no-op for the same round again. Conflict when another
        round does."""
