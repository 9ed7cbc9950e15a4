"""Appeals, reports and other signals: /v1/signals. What they say beside decisions: /v1/interception and /v1/kpi."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Query, status
from pydantic import BaseModel, ConfigDict, Field

from api import root_causes, signals
from api.auth import Lead, Role, require
from api.problems import documented
from api.routes.state import TheGoldfold
from labeling.insights.interception import WANTED

router = APIRouter(prefix="/v1/signals", tags=["signals"], responses=documented(404, 409, 503))
interception = APIRouter(prefix="/v1/interception", tags=["signals"], responses=documented(404, 409))
kpi = APIRouter(prefix="/v1/kpi", tags=["signals"], responses=documented(404, 409))

Until = Annotated[str | None, Query(description="The last day, an ISO date (default: yesterday).")]
Weeks = Annotated[int, Query(ge=1, le=signals.MOST_WEEKS, description="Weeks in a window.")]
AsLead = Depends(require(Role.LEAD))
EXAMPLE = {
    "signals": [
        {
            "signal_id": "a-1",
            "kind": "appeal",
            "item": "post-1",
            "policy": "hate_speech",
            "project": "forum",
            "at": "2026-01-31T12:00:00Z",
            "outcome": "overturned",
            "decision": "human/d-1",
        }
    ]
}


class SignalsIn(BaseModel):
    """A batch of signals. A batch with a bad row is refused whole; the answer names every bad row and field."""

    model_config = ConfigDict(extra="forbid")

    signals: list[dict[str, Any]] = Field(min_length=1, max_length=10_000, description="One object a signal.")


class SignalsOut(BaseModel):
    """What a batch did."""

    model_config = ConfigDict(from_attributes=True)

    read: int
    added: int
    settled: int = Field(description="pending appeals that have their outcome now")
    already_there: int
    repeated: int


class TicketIn(BaseModel):
    """A policy at a severity, of which too much gets through."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"policy": "hate_speech", "severity": 3, "weeks": 4}}
    )

    policy: str = Field(min_length=1, max_length=100)
    severity: int = Field(ge=0, le=4)
    until: str | None = Field(None, description="The last day (default: yesterday).")
    weeks: int = Field(signals.WEEKS, ge=1, le=signals.MOST_WEEKS)


@router.post("", status_code=status.HTTP_201_CREATED, dependencies=[Depends(require(Role.ENGINEER))])
def add_signals(goldfold: TheGoldfold, batch: Annotated[SignalsIn, Body(examples=[EXAMPLE])]) -> SignalsOut:
    """Add signals. The same signal again is no error; a pending appeal may come again with its outcome."""
    return SignalsOut.model_validate(signals.take_in(goldfold, batch.signals))


@router.get("")
def list_days(
    goldfold: TheGoldfold, until: Until = None, days: Annotated[int, Query(ge=1, le=92)] = 7
) -> list[dict[str, Any]]:
    """How many signals each day has, by project, kind and outcome."""
    return signals.count_days(goldfold, until, days)


@router.get("/alarm", dependencies=[AsLead])
def get_alarm(goldfold: TheGoldfold, until: Until = None, weeks: Weeks = signals.WEEKS) -> dict[str, Any]:
    """Whether internal QA is flat while overturns or reports rise, by project."""
    return signals.alarm(goldfold, until, weeks)


@router.get("/overturns", dependencies=[AsLead])
def list_overturns(
    goldfold: TheGoldfold, until: Until = None, weeks: Weeks = 12, project: str = ""
) -> list[dict[str, Any]]:
    """By week, the share of decided appeals that were overturned."""
    return signals.overturns(goldfold, until, weeks, project)


@interception.get("", dependencies=[AsLead])
def get_interception(
    goldfold: TheGoldfold,
    until: Until = None,
    weeks: Weeks = signals.WEEKS,
    wanted: Annotated[float, Query(gt=0, lt=1, description="The floor of recall to reach.")] = WANTED,
    policy: str = "",
) -> dict[str, Any]:
    """By policy and severity: which stage removed items first, and recall with its floor, in items and views."""
    return signals.intercepted(goldfold, until, weeks, wanted, policy)


@interception.post("/tickets", status_code=status.HTTP_201_CREATED)
def open_ticket(goldfold: TheGoldfold, caller: Lead, given: TicketIn) -> dict[str, Any]:
    """Open a finding about a policy at a severity; an action on it with the KPI `recall` shows before and after."""
    made = signals.ticket(goldfold, given.policy, given.severity, given.until, given.weeks, caller.key_id)
    return root_causes.finding(goldfold, made.finding_id)


@kpi.get("/change", dependencies=[AsLead])
def get_change(
    goldfold: TheGoldfold,
    before: Annotated[str | None, Query(description="The old period: 2026-01-01/2026-01-31.")] = None,
    after: Annotated[str | None, Query(description="The new period.")] = None,
    until: Until = None,
    weeks: Weeks = signals.WEEKS,
    project: str = "",
) -> dict[str, Any]:
    """A change of the error rate: mix, within, gold relabel, policy break."""
    return signals.change(goldfold, before, after, until, weeks, project)


@kpi.get("/series", dependencies=[AsLead])
def get_series(goldfold: TheGoldfold, until: Until = None, weeks: Weeks = 12, project: str = "") -> dict[str, Any]:
    """Weekly accuracy, and where the series breaks."""
    return signals.series(goldfold, until, weeks, project)
