"""What the ledger keeps of trends: alerts, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


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
