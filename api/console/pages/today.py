"""Today: what waits for a lead, and what to do about each of it: /console/today."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from time import monotonic
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BaseModel, Field

from api import today
from api.auth import RANK, Role
from api.composition import Goldfold
from api.console.kept import WAIT_S, Kept
from api.console.page import Ask, LeadAsk, Page
from api.console.pages.today_cards import as_of, cards_of, counted
from api.daily_qa import sample_day
from api.errors import Forbidden
from api.jobs.records import ENDED, Job

router = APIRouter(prefix="/today")
PATH = "/console/today"
STARTS = {"rebuild": Role.ADMIN}  # who starts jobs of a kind; others: engineers
JOBS = 50  # newest ones that are looked through
PARTS: dict[str, Callable[[Goldfold], Any]] = {
    "qa": today.qa,
    "people": today.people,
    "gold": today.gold,
    "alarm": today.alarm,
    "trends": today.alerts,
}


Day = Annotated[str, Query(max_length=10)]
Budget = Annotated[int | None, Query(ge=1, le=100_000)]


class Sample(BaseModel):
    """Which day's decisions are judged again, and how many of them at most."""

    day: str = Field(max_length=10)
    budget: int | None = Field(None, ge=1, le=100_000)


@router.get("")
def show(ask: LeadAsk) -> Response:
    """Everything that waits, in the order in which harm is done by waiting."""
    data: dict[str, Any] = dict(_together(ask, PARTS))
    jobs = _jobs(ask.jobs.all(JOBS), ask.visitor.role)
    cards = cards_of(data | {"jobs": Kept(jobs)})
    data |= {"jobs": jobs, "cards": cards, "counts": counted(cards), "as_of": as_of(data)}
    return ask.show(Page("Today", "today.html", data))


@router.post("/jobs/{job_id}")
def go_on(ask: LeadAsk, job_id: str) -> Response:
    """Go on with a job that failed, as it was asked the first time."""
    role = STARTS.get(ask.jobs.get(job_id).kind, Role.ENGINEER)
    if RANK[ask.visitor.role] < RANK[role]:
        raise Forbidden(f"this job needs the role {role} or above; you are signed in as {ask.visitor.role}")
    job = ask.jobs.again(job_id)
    ask.goldfold.ledger.audit.add(ask.actor, "job.again", job_id, {"kind": job.kind})
    return ask.back(PATH, f"{job_id} goes on where it failed.")


@router.get("/qa")
def preview(ask: LeadAsk, day: Day = "", budget: Budget = None) -> Response:
    """What drawing a day's sample would ask of people; nothing is written."""
    settings = ask.goldfold.settings
    told = ask.kept(
        ("today", "qa-preview", day, budget), partial(sample_day, ask.goldfold, day or None, budget, dry_run=True)
    )
    data = {"preview": told, "day": day, "budget": budget or settings.qa_budget, "overlap": settings.overlap}
    return ask.show(Page("Draw a day's sample", "today_qa.html", data))


@router.post("/qa")
def draw(ask: LeadAsk) -> Response:
    """Draw it, and open its rounds."""
    given = ask.typed(Sample)
    done = sample_day(ask.goldfold, given.day, given.budget, actor=ask.actor)
    again = " It had been drawn before, and stays as it was." if done.again else ""
    said = f"{done.day}: {done.sampled} decisions are judged again; people are asked about {done.asked} items.{again}"
    return ask.back(PATH, said)


def _together(ask: Ask, parts: Mapping[str, Callable[[Goldfold], Any]]) -> dict[str, Kept[Any]]:
    """Kept figures, waited for together rather than one after the other."""

    def kept(name: str, wait_s: float) -> Kept[Any]:
        return ask.answers.of(("today", name), partial(parts[name], ask.goldfold), max(0.0, wait_s))

    for name in parts:
        kept(name, 0.0)
    until = monotonic() + WAIT_S
    return {name: kept(name, until - monotonic()) for name in parts}


def _jobs(newest: Sequence[Job], role: Role) -> dict[str, list[dict[str, Any]]]:
    """Those that run or wait, and those that failed within the days that this page looks back; ``may``: whether
    somebody of that role may start them again."""
    since_s = (datetime.now(UTC) - timedelta(days=today.DAYS)).timestamp()
    return {
        "running": [_job(job) for job in newest if job.state not in ENDED],
        "failed": [
            _job(job) | {"may": RANK[role] >= RANK[STARTS.get(job.kind, Role.ENGINEER)]}
            for job in newest
            if job.state == "failed" and job.updated_at_s >= since_s
        ],
    }


def _job(job: Job) -> dict[str, Any]:
    told = {name: getattr(job, name) for name in ("job_id", "kind", "state", "progress", "error")}
    return told | {"at": datetime.fromtimestamp(job.updated_at_s, UTC)}
