"""Quality: a day of daily QA, the people who answer, how far they agree: /console/quality. For leads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from api.console.charts import Chart, Series
from api.console.kept import Kept
from api.console.page import Ask, LeadAsk, Page
from api.console.series import basis_of, of_figures
from api.daily_qa import day_named, days_around, newest_day, report_day, sample_day
from api.routes.qa import SampleIn
from labeling.agreements import ALL
from labeling.errors import NotFound

router = APIRouter(prefix="/quality")
PATH = "/console/quality"
DAYS = 14  # that the chooser shows
SHOWN = 50  # people of a page
After = Annotated[str, Query(max_length=200)]
Project = Annotated[str, Query(max_length=200)]
Json = dict[str, Any]


@router.get("")
def one_day(ask: LeadAsk, day: str = "", project: Project = "") -> Response:
    """What a day's sample says, of a project or of all, and the days around it; left out, the newest that was
    sampled."""
    goldfold = ask.goldfold
    chosen = day_named(goldfold, day) if day else newest_day(goldfold)
    named, last = chosen.isoformat(), day_named(goldfold, None)
    report = ask.kept(("quality.day", named), lambda: report_day(goldfold, named))
    days = ask.kept(("quality.days", named), lambda: days_around(goldfold, chosen, DAYS))
    data = {
        "day": named,
        "last": last.isoformat(),
        "around": _around(chosen, last),
        "project": project,
        "days": days,
        "report": report,
        "is_sampled": not isinstance(report.error, NotFound),
        "budget": goldfold.settings.qa_budget,
    }
    return ask.show(Page("Daily QA", "quality_day.html", data, charts=_day_charts(report.value)))


@router.post("/sample")
def sample(ask: LeadAsk) -> Response:
    """Draw a day's sample; first as a dry run, which says what it would ask of people."""
    given = ask.typed(SampleIn)
    made = sample_day(ask.goldfold, given.day, given.budget, actor=ask.actor, dry_run=given.dry_run)
    if not given.dry_run:
        said = f"{made.sampled} decisions of {made.day} are sampled; people are asked about {made.asked} items"
        return ask.back(f"{PATH}?day={made.day}", f"{said} with the next sync.")
    data = {"made": asdict(made), "budget": given.budget, "overlap": ask.goldfold.settings.overlap}
    return ask.show(Page(f"Sample {made.day}: what it would ask", "quality_sample.html", data))


@router.get("/people")
def people(ask: LeadAsk, after: After = "") -> Response:
    """Everybody who answers blind, by name: intervals, and no ranks."""
    found = _people(ask)
    told, rest = None, ""
    if found.value is not None:
        pages = [page for page in found.value["people"] if page["person"] > after]
        rest = pages[SHOWN - 1]["person"] if len(pages) > SHOWN else ""
        told = {**found.value, "people": pages[:SHOWN]}
    return ask.show(Page("People", "quality_people.html", {"found": replace(found, value=told), "next": rest}))


@router.get("/people/{person:path}")
def person(ask: LeadAsk, person: str) -> Response:
    """One person: intervals by policy and language, confusions, drift, speed."""
    found = _people(ask)
    told = None
    if found.value is not None:
        told = next((page for page in found.value["people"] if page["person"] == person.strip().casefold()), None)
        if told is None:
            raise NotFound(f"{person!r} has answered no blind task that is told of; give the address of Label Studio")
    return ask.show(Page(person, "quality_person.html", {"found": replace(found, value=told)}))


@router.get("/agreement")
def agreement(ask: LeadAsk, policy: str = ALL) -> Response:
    """How far people agree: each policy, or one by language and rule."""
    found = ask.kept("quality.agreement", lambda: ask.goldfold.agreements(consensus=False).as_dict())
    cells: list[Json] = []
    if found.value is not None:
        every: Any = found.value["cells"]
        cells = [one for one in every if (one["policy"] == policy if policy else not one["language"] + one["rule_id"])]
    data = {"found": found, "cells": cells, "policy": policy}
    return ask.show(Page("Agreement", "quality_agreement.html", data, charts=_agreement_charts(cells)))


def _people(ask: Ask) -> Kept[Json]:
    """Everybody's page, by name, as a lead sees it."""
    return ask.kept("quality.people", lambda: ask.goldfold.people().as_dict())


def _around(chosen: date, last: date) -> dict[str, str]:
    """The days before and after, up to the last that is over; "" where there is none."""
    after = chosen + timedelta(days=1)
    return {
        "before": (chosen - timedelta(days=1)).isoformat(),
        "after": after.isoformat() if after <= last else "",
    }


def _day_charts(report: Mapping[str, Any] | None) -> list[Chart]:
    """Accuracy and errors by project, the likeliest below its target first."""
    projects: list[Json] = list(report["projects"]) if report else []
    if not projects:
        return []
    names = [one["project"] for one in projects]
    accuracy = of_figures("accuracy", names, [one["accuracy"] for one in projects])
    target = Series("target", names, [one["target"] for one in projects], reference=True)
    basis = basis_of(one["accuracy"] for one in projects)
    kinds = list(projects[0]["errors"])
    errors = [of_figures(kind.replace("_", " "), names, [one["errors"][kind] for one in projects]) for kind in kinds]
    return [
        Chart(
            "accuracy",
            "Accuracy and target",
            "points",
            "project",
            "share right",
            [accuracy, target],
            unit="share",
            basis=basis,
        ),
        Chart("errors", "Errors by type", "bar", "project", "share of decisions", errors, unit="share", basis=basis),
    ]


def _agreement_charts(cells: Sequence[Json]) -> list[Chart]:
    if not cells:
        return []
    names = [one["rule_id"] or one["language"] or one["policy"] or "all" for one in cells]
    series = [of_figures(name, names, [one["outcome"][name] for one in cells]) for name in ("alpha", "ac1")]
    title = "Agreement on the outcome, beyond chance"
    basis = basis_of(one["outcome"]["alpha"] for one in cells)
    return [Chart("agreement", title, "points", "of", "Krippendorff's alpha, Gwet's AC1", series, basis=basis)]
