"""How a KPI moves, and why: /console/quality/kpi. For leads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from api import signals
from api.console.charts import Chart, Series
from api.console.formats import policy
from api.console.page import LeadAsk, Page
from api.console.series import basis_of, of_figures

router = APIRouter(prefix="/quality/kpi")
SERIES_WEEKS = 12
VALUES = 500  # of each circumstance of decisions, that a form proposes
PARTS = ("mix", "within", "gold_relabel", "policy_break")
Weeks = Annotated[int, Query(ge=1, le=signals.MOST_WEEKS)]


@router.get("")
def kpi(
    ask: LeadAsk, project: str = "", until: str = "", weeks: Weeks = SERIES_WEEKS, window: Weeks = signals.WEEKS
) -> Response:
    """Weekly accuracy with the breaks in it, and the parts of the last change of the error rate. ``window``: weeks of
    either period of the change."""
    goldfold, last = ask.goldfold, until or None
    series = ask.kept(("kpi.series", project, until, weeks), lambda: signals.series(goldfold, last, weeks, project))
    change = ask.kept(
        ("kpi.change", project, until, window), lambda: signals.change(goldfold, None, None, last, window, project)
    )
    data = {"project": project, "until": until, "weeks": weeks, "window": window, "series": series, "change": change}
    named = ask.kept("decisions.values", lambda: goldfold.ledger.decisions.values(VALUES)).value
    data["projects"] = named["project"] if named else []
    charts = [*_series(series.value, signals.target(goldfold, project)), *_change(change.value)]
    title = f"Accuracy of {project}, by week" if project else "Accuracy by week"
    return ask.show(Page(title, "quality_kpi.html", data, charts=charts))


def _series(told: Mapping[str, Any] | None, target: float | None) -> list[Chart]:
    """Weekly accuracy beside the target, with a mark at each week in which the series breaks."""
    if not told:
        return []
    figures = [one["accuracy"] for one in told["weeks"]]
    if all(figure["value"] is None for figure in figures):
        return []
    marks: dict[str, list[str]] = {}
    for one in told["breaks"]:
        marks.setdefault(one["week"], []).append(f"{policy(one['policy'])}: {one['what']}")
    line = of_figures("accuracy", [one["from"] for one in told["weeks"]], figures)
    drawn = tuple((week, "; ".join(said)) for week, said in sorted(marks.items()))
    names = [one["from"] for one in told["weeks"]]
    series = (
        [line]
        if target is None
        else [line, Series(f"target {100 * target:g} %", names, [target] * len(names), reference=True)]
    )
    said = ["A dotted line: figures on its two sides were not judged by the same policy or gold."] if drawn else []
    bare = [one["from"] for one in told["weeks"] if one["accuracy"]["value"] is None]
    said += [f"Too few judged decisions for a figure in the weeks from {', '.join(bare)}."] if bare else []
    return [
        Chart(
            "series",
            "Weekly accuracy",
            "line",
            "week from",
            "share right",
            series,
            marks=drawn,
            caption=" ".join(said),
            unit="share",
            basis=basis_of(figures),
        )
    ]


def _change(told: Mapping[str, Any] | None) -> list[Chart]:
    if not told:
        return []
    names = [one["project"] for one in told["projects"]]
    parts = [Series(part.replace("_", " "), names, [p["parts"][part] for p in told["projects"]]) for part in PARTS]
    title = "What the change of the error rate is made of"
    caption = "The parts add up to the change; they split it and claim no interval of their own."
    return [Chart("change", title, "bar", "project", "change of the error rate", parts, caption=caption, unit="share")]
