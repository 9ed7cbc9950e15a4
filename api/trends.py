"""Trends of an installation: judge a day, tell its alerts, ask people about one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from api.composition import Goldfold
from labeling.errors import InvalidInput
from labeling.insights.trend_alerts import alert_told, by_which_test
from labeling.insights.trend_names import names_of
from labeling.insights.trend_records import AlertState, TrendAlert
from labeling.insights.trends import Report, trends
from labeling.insights.watch import open_watch, watchable
from labeling.policies import Policy
from labeling.records import Round
from labeling.round_costs import Costs, minutes_of


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


def ranked(goldfold: Goldfold, limit: int) -> list[dict[str, Any]]:
    """The alerts that nobody has looked at by their score, then the others, newest first, ``limit`` at most: as
    ``alerts`` tells them, each with a ``title`` and the ``test`` that fired."""
    return titled(goldfold, _ranked(goldfold)[:limit])


def words_of(goldfold: Goldfold, limit: int) -> dict[str, list[str]]:
    """By alert of ``ranked``, words that tell its texts from the rest; they are content."""
    found = _ranked(goldfold)[:limit]
    return {alert_id: list(words) for alert_id, words in names_of(goldfold.lake, found).items()} if found else {}


def open_alerts(goldfold: Goldfold, since: date = date.min) -> list[TrendAlert]:
    """Those that nobody has looked at and that stood on that day or later, the highest score first."""
    found = goldfold.ledger.trends.all()
    open_ = [one for one in found if one.state is AlertState.OPEN and one.last_day >= since]
    return sorted(open_, key=lambda one: (-float(str(one.body["score"])), one.alert_id))


def titled(goldfold: Goldfold, found: Sequence[TrendAlert]) -> list[dict[str, Any]]:
    """Alerts as ``alerts`` tells them, with a title in words; a theme is called by the first of its items."""
    firsts = sorted({one.item_ids[0] for one in found if one.item_ids})
    names = {item_id: item.external_id for item_id, item in goldfold.ledger.items.by_id(firsts).items()}
    return [alert_told(one) | {"title": _title(one, names), "test": by_which_test(one.body)} for one in found]


def _ranked(goldfold: Goldfold) -> list[TrendAlert]:
    rest = [one for one in goldfold.ledger.trends.all() if one.state is not AlertState.OPEN]
    return [*open_alerts(goldfold), *rest]


def _title(alert: TrendAlert, names: Mapping[str, str]) -> str:
    body, day = alert.body, f"{alert.last_day.day} {alert.last_day:%b}"
    if body["kind"] == "theme":
        named = next((names[item_id] for item_id in alert.item_ids[:1] if item_id in names), "items that are gone")
        return f"Around {named}, {day}"
    where = str(body.get("market") or "").upper() or "no market"
    what = f"cluster {body['cluster']}" if body["kind"] == "cluster" else "volume"
    return f"More {what} in {where}, {day}" if what == "volume" else f"More of {what} in {where}, {day}"


@dataclass(frozen=True, slots=True)
class WatchPlan:
    """What a watch round would ask: ``picks`` of the alert's ``askable`` items, each of ``people``: ``answers``,
    which take about ``minutes`` together. ``round_id``: the round that asks already, if any."""

    alert_id: str
    policy: str
    budget: int
    askable: int
    picks: int
    people: int
    answers: int
    minutes: float
    round_id: str


def plan_watch(goldfold: Goldfold, alert_id: str, policy_id: str = "", budget: int = 20) -> WatchPlan:
    """What ``watch`` would do; nothing is written. Raises InvalidInput, NotFound."""
    policy = _policy(goldfold, alert_id, policy_id)
    alert = goldfold.ledger.trends.get(alert_id)
    ids = [] if alert.round_id else watchable(goldfold.ledger, goldfold.lake, alert, policy)
    chosen, people = ids[:budget], goldfold.settings.overlap
    minutes = minutes_of(goldfold.lake, chosen, Costs(), people).sum() if chosen else 0.0
    return WatchPlan(
        alert_id=alert_id,
        policy=policy.id,
        budget=budget,
        askable=len(ids),
        picks=len(chosen),
        people=people,
        answers=len(chosen) * people,
        minutes=round(float(minutes), 1),
        round_id=alert.round_id,
    )


def alert(goldfold: Goldfold, alert_id: str) -> dict[str, Any]:
    """One alert, as ``ranked`` tells it. Raises NotFound."""
    return titled(goldfold, [goldfold.ledger.trends.get(alert_id)])[0]


def watch(goldfold: Goldfold, alert_id: str, actor: str, policy_id: str = "", budget: int = 20) -> Round:
    """Open a round over an alert's items, under a policy (default: the one they most likely break)."""
    return open_watch(
        goldfold.ledger,
        goldfold.lake,
        goldfold.scorer(),
        alert_id,
        _policy(goldfold, alert_id, policy_id),
        budget=budget,
        overlap=goldfold.settings.overlap,
        actor=actor,
    )


def _policy(goldfold: Goldfold, alert_id: str, policy_id: str) -> Policy:
    chosen = policy_id or str(goldfold.ledger.trends.get(alert_id).body["policy"])
    if chosen not in goldfold.policies:
        there = ", ".join(sorted(goldfold.policies))
        raise InvalidInput(f"policy: {chosen or 'none'!r} is not in force; name one of {there}")
    return goldfold.policies[chosen]
