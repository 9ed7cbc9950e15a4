"""Patterns and alerts of trends as entries of the weekly pack: no person is named in it, and no content."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from labeling.insights.patterns import Pattern, Patterns
from labeling.insights.trend_alerts import volume
from labeling.insights.trend_records import TrendAlert
from labeling.insights.weekly_parts import Json, entry, figure

MOST = 10  # of each
WEEK = timedelta(days=7)


def pattern_entries(found: Patterns) -> list[Json]:
    """The surest patterns that speak of nobody by name."""
    return [_pattern(one, found) for one in found.impersonal().patterns[:MOST]]


def alert_entries(alerts: Sequence[TrendAlert], first_day: date) -> list[Json]:
    """What stood out on a day of the week that begins on ``first_day``."""
    late = [one for one in alerts if one.first_day < first_day + WEEK and one.last_day >= first_day]
    return [_alert(one) for one in late[:MOST]]


def _pattern(one: Pattern, found: Patterns) -> Json:
    link, told = f"/v1/patterns/{one.pattern_id}", found.told(one)
    figures = [figure(name, told[key]) for name, key in (("wrong there", "rate"), ("wrong elsewhere", "other"))]
    return entry(one.card.title, [*one.card.lines, f"{one.card.cause} {one.card.action}"], figures, link)


def _alert(one: TrendAlert) -> Json:
    body = one.body
    what = "a new theme" if body["kind"] == "theme" else f"more than usual in {body['market'] or 'all markets'}"
    expected, p = (float(str(body[name])) for name in ("expected", "p"))
    ask = f"goldfold trends open {one.alert_id} asks people about it."
    lines = [
        f"{body['count']} items where {expected:.1f} were expected, {one.first_day} to {one.last_day}; p {p:.2g}; "
        f"{'it lasts' if body['lasts'] else 'it stands for the day alone'}.",
        f"The round {one.round_id} asks people about it." if one.round_id else ask,
    ]
    return entry(f"{one.alert_id}: {what}", lines, [figure("times what was expected", volume(one))], "/v1/trends")
