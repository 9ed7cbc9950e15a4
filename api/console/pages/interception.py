"""What was removed by which stage, what got through, and whether QA is blind: /console/interception.

Figures by policy and severity are for every viewer; the items behind them, and tickets, for leads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.encoders import jsonable_encoder
from fastapi.responses import Response
from pydantic import BaseModel, Field

from api import root_causes, signals
from api.console.charts import Chart, Series
from api.console.formats import policy as policy_name
from api.console.kept import Kept
from api.console.page import Ask, LeadAsk, Page, ViewerAsk
from api.console.series import basis_of, of_figures
from labeling.insights.interception import WANTED
from labeling.insights.removals import STAGES

router = APIRouter(prefix="/interception")
HOME = "/console/interception"
ITEMS = ("items", "missed", "missed_items", "overturned_items", "reported_items")
LEFT_UP = "left up"
Json = dict[str, Any]
Weeks = Annotated[int, Query(ge=1, le=signals.MOST_WEEKS)]


class TicketForm(BaseModel):
    """A policy at a severity, of which too much gets through."""

    policy: str = Field(min_length=1, max_length=100)
    severity: int = Field(ge=0, le=4)
    until: str | None = None
    weeks: int = Field(signals.WEEKS, ge=1, le=signals.MOST_WEEKS)


@router.get("")
def interception(
    ask: ViewerAsk,
    until: str = "",
    weeks: Weeks = signals.WEEKS,
    wanted: Annotated[float, Query(gt=0, lt=1)] = WANTED,
    policy: str = "",
) -> Response:
    """By policy and severity, which stage removed items first, and recall; the common-mode alarm; tickets."""
    goldfold, day = ask.goldfold, until or None
    told = ask.kept(
        ("interception", until, weeks, wanted, policy),
        lambda: jsonable_encoder(signals.intercepted(goldfold, day, weeks, wanted, policy)),
    )
    alarm = ask.kept(("alarm", until, weeks), lambda: jsonable_encoder(signals.alarm(goldfold, day, weeks)))
    series = ask.kept(
        ("alarm.series", until, weeks),
        lambda: {
            "accuracy": jsonable_encoder(signals.series(goldfold, day, 2 * weeks)),
            "overturns": jsonable_encoder(signals.overturns(goldfold, day, 2 * weeks)),
        },
    )
    data = {
        "interception": _seen(ask, told),
        "alarm": _seen(ask, alarm),
        "series": series,
        "tickets": _tickets(ask),
        "stages": STAGES,
        "until": until,
        "weeks": weeks,
        "wanted": wanted,
        "policy": policy,
        "policies": sorted(goldfold.policies),
        "most_weeks": signals.MOST_WEEKS,
        "is_lead": ask.is_lead,
    }
    slices = told.value["slices"] if told.value is not None else []
    charts = [_stages(slices, in_views=False), _stages(slices, in_views=True)] if slices else []
    charts += [_recall(slices)] if any(one["recall"]["items"]["value"] is not None for one in slices) else []
    charts += [_common_mode(series.value)] if series.value is not None else []
    return ask.show(Page("Interception", "interception.html", data, charts=charts))


@router.post("/tickets")
def ticket(ask: LeadAsk) -> Response:
    """Open a finding about a policy at a severity, whose KPI is recall."""
    given = ask.typed(TicketForm)
    made = signals.ticket(ask.goldfold, given.policy, given.severity, given.until, given.weeks, ask.actor)
    return ask.back(
        f"/console/quality/causes/{made.finding_id}",
        "The ticket is on the root-cause desk; its KPI is recall. Code it.",
    )


def _seen(ask: Ask, told: Kept[Json]) -> Kept[Json]:
    """Without the items behind it for who is no lead."""
    if told.value is None or ask.is_lead:
        return told
    return Kept(_bare(told.value), told.at)


def _bare(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {name: each for name, each in value.items() if name not in ITEMS or isinstance(each, dict | int)}
        return {name: _bare(each) for name, each in kept.items()}
    return [_bare(each) for each in value] if isinstance(value, list) else value


def _tickets(ask: Ask) -> list[Json]:
    """The findings that came from here, each with what its actions measured before and last; for leads."""
    if not ask.is_lead:
        return []
    found = [one for one in root_causes.findings(ask.goldfold) if one["origin"].startswith("interception:")]
    return [
        {name: one[name] for name in ("finding_id", "title", "statement", "state", "opened_by", "opened_at")}
        | {"actions": [_action(each) for each in one["actions"]]}
        for one in found
    ]


def _action(one: Mapping[str, Any]) -> Json:
    measured = [event for event in one["events"] if event["figure"]]
    return {
        **{name: one[name] for name in ("what", "owner", "kpi", "target", "due", "state", "is_late", "before")},
        "after": measured[-1]["figure"] if measured else {},
        "measured_at": measured[-1]["at"] if measured else None,
    }


def _name(one: Mapping[str, Any]) -> str:
    return f"{policy_name(one['policy'])} S{one['severity']}"


def _stages(slices: Sequence[Mapping[str, Any]], *, in_views: bool) -> Chart:
    names, unit = [_name(one) for one in slices], "views" if in_views else "items"
    series = [
        Series(stage, names, [next(s[unit] for s in one["stages"] if s["stage"] == stage) for one in slices])
        for stage in STAGES
    ]
    series.append(Series(LEFT_UP, names, [one["left_up_views" if in_views else "left_up"] for one in slices]))
    return Chart(f"stages-{unit}", f"Removed first by, in {unit}", "bar", "policy", unit, series, stacked=True)


def _recall(slices: Sequence[Mapping[str, Any]]) -> Chart:
    names = [_name(one) for one in slices]
    recalls = {unit: [one["recall"][unit] for one in slices] for unit in ("items", "views")}
    series = [of_figures(f"recall in {unit}", names, told) for unit, told in recalls.items()]
    series.append(Series("floor in items", names, [one["recall"]["items"]["floor"] for one in slices], reference=True))
    caption = "The floor takes each stratum in which audits found nothing at its upper bound."
    title, y_title = "Recall", "share removed"
    basis = basis_of(each for told in recalls.values() for each in told)
    return Chart(
        "recall", title, "points", "policy", y_title, series, y_range=(0, 1), caption=caption, unit="share", basis=basis
    )


def _common_mode(told: Mapping[str, Any]) -> Chart:
    """Internal QA's accuracy and overturned appeals, by week, in one chart."""
    accuracy, overturns = told["accuracy"]["weeks"], told["overturns"]
    lines = (("internal QA: accuracy", accuracy, "accuracy"), ("appeals: overturned", overturns, "overturned"))
    series = [
        of_figures(name, [week["from"] for week in weeks], [week[key] for week in weeks]) for name, weeks, key in lines
    ]
    marks = [(one["week"], f"{one['kind']} {one.get('policy') or ''}".strip()) for one in told["accuracy"]["breaks"]]
    title = "Internal QA against appeals, all projects"
    caption = "The alarm rings where accuracy stays flat while overturns rise. Dotted: where the series breaks."
    return Chart(
        "common-mode",
        title,
        "line",
        "week from",
        "share",
        series,
        marks=marks,
        y_range=(0, 1),
        caption=caption,
        unit="share",
        basis=basis_of(week[key] for _, weeks, key in lines for week in weeks),
    )
