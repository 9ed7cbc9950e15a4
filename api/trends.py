"""Trends of an installation: judge a day, tell its alerts, ask people about one."""

from __future__ import annotations

from datetime import date
from typing import Any

from api.composition import Goldfold
from labeling.errors import InvalidInput
from labeling.insights.trend_alerts import alert_told
from labeling.insights.trend_names import names_of
from labeling.insights.trends import Report, trends
from labeling.insights.watch import open_watch
from labeling.records import Round


def judge_day(goldfold: Goldfold, day: date | None = None, *, refit: bool = False) -> Report:
    """Judge a day's volumes and note its alerts."""
    folder = goldfold.settings.data_dir / "trends"
    scorer = goldfold.scorer()
    return trends(goldfold.ledger, goldfold.lake, goldfold.policies, scorer, folder, day, refit=refit)


def alerts(goldfold: Goldfold, limit: int | None = None, *, words: bool = False) -> list[dict[str, Any]]:
    """Alerts, newest first, ``limit`` at most; ``words``: with the words that tell each from the rest, which are
    content."""
    found = goldfold.ledger.trends.all()[:limit]
    names = names_of(goldfold.lake, found) if words and found else {}
    return [alert_told(one) | ({"words": list(names[one.alert_id])} if words else {}) for one in found]


def watch(goldfold: Goldfold, alert_id: str, actor: str, policy_id: str = "", budget: int = 20) -> Round:
    """Open a round over an alert's items, under a policy (default: the one they most likely break)."""
    chosen = policy_id or str(goldfold.ledger.trends.get(alert_id).body["policy"])
    if chosen not in goldfold.policies:
        there = ", ".join(sorted(goldfold.policies))
        raise InvalidInput(f"policy: {chosen or 'none'!r} is not in force; name one of {there}")
    return open_watch(
        goldfold.ledger,
        goldfold.lake,
        goldfold.scorer(),
        alert_id,
        goldfold.policies[chosen],
        budget=budget,
        overlap=goldfold.settings.overlap,
        actor=actor,
    )
