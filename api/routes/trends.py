"""What grows in the traffic: /v1/trends."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, status
from pydantic import BaseModel, ConfigDict, Field

from api.auth import Engineer, Lead, Role, require
from api.ids import new_id
from api.problems import documented
from api.routes.figures import FIRST, After, FigureOut, ItemPageOut, Limit
from api.routes.jobs import JobOut
from api.routes.state import TheGoldfold, TheJobs
from api.trends import alerts, watch
from labeling.insights.trend_records import AlertState

router = APIRouter(prefix="/v1/trends", tags=["trends"], responses=documented(404, 409))


class TrendsIn(BaseModel):
    """Which UTC day; left out: the newest whole one. ``refit``: fit new clusters first."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"day": "2026-11-20"}})

    day: date | None = None
    refit: bool = False


class WatchIn(BaseModel):
    """Under which policy to ask (left out: the one that the items most likely break), and about how many items."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"budget": 20}})

    policy: str | None = None
    budget: int = Field(20, ge=1, le=500)


class AlertOut(BaseModel):
    """Something that stood out. ``volume``: how many times what was expected there was on the last day; ``body``: the
    parts of its score and what else is known. ``count`` items behind it, which ``volume.items`` names."""

    alert_id: str
    key: str
    first_day: date
    last_day: date
    state: AlertState
    round_id: str
    count: int
    volume: FigureOut
    body: dict[str, Any]


@router.get("", dependencies=[Depends(require(Role.VIEWER))])
def list_trends(goldfold: TheGoldfold) -> list[AlertOut]:
    """The alerts, newest first: figures, the parts of their score. No content."""
    return [AlertOut.model_validate(one) for one in alerts(goldfold)]


@router.get("/{alert_id}/items", dependencies=[Depends(require(Role.VIEWER))])
def list_items(goldfold: TheGoldfold, alert_id: str, after: After = "", limit: Limit = FIRST) -> ItemPageOut:
    """The items behind an alert, a page at a time: at most 500, drawn by a hash."""
    return ItemPageOut.of(goldfold, goldfold.ledger.trends.get(alert_id).item_ids, after, limit)


@router.get("/words")
def list_words(
    goldfold: TheGoldfold,
    caller: Lead,
    limit: Annotated[int, Query(ge=1, le=100, description="Alerts, newest first.")] = 20,
) -> dict[str, list[str]]:
    """By alert, words that tell its texts from the rest. They are what people wrote, and kept nowhere;
    the audit trail notes who asked."""
    goldfold.ledger.audit.add(caller.key_id, "content.shown", "trends", {"where": "api", "what": "words"})
    return {one["alert_id"]: one["words"] for one in alerts(goldfold, limit, words=True)}


@router.post("", status_code=status.HTTP_202_ACCEPTED)
def run_trends(jobs: TheJobs, given: TrendsIn, caller: Engineer) -> JobOut:  # noqa: ARG001 - the role
    """Judge a day as a job; what stands out becomes an alert."""
    request = {"day": None if given.day is None else given.day.isoformat(), "refit": given.refit}
    return JobOut.of(jobs.submit("trends", new_id("trends"), request))


@router.post("/{alert_id}/watch")
def watch_alert(goldfold: TheGoldfold, alert_id: str, given: WatchIn, caller: Lead) -> dict[str, Any]:
    """Open a round over the alert's items in the lane watch; the next sync sends its tasks."""
    made = watch(goldfold, alert_id, caller.key_id, given.policy or "", given.budget)
    return {"round_id": made.round_id, "state": made.state, "picks": made.plan["budget"], "notes": list(made.notes)}
