"""Appeals, reports and other signals: /v1/signals. What they say beside decisions: /v1/interception and /v1/kpi."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Depends, Query, status
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api import root_causes, signals
from api.auth import Lead, Role, require
from api.problems import documented
from api.routes.causes import FindingOut
from api.routes.figures import FIRST, After, FigureOut, ItemPageOut, Limit
from api.routes.state import TheGoldfold
from labeling.insights.interception import KINDS, WANTED
from labeling.insights.signal_items import OUTCOMES, Meant
from labeling.signal_records import SignalKind

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


class WindowOut(BaseModel):
    """The days from one to another, both included."""

    since: str = Field(alias="from")
    to: str
    zone: str


class OverturnsOut(WindowOut):
    """A week's decided appeals."""

    overturned: FigureOut


class SeenOut(BaseModel):
    """What a window holds. ``effective``: Kish's n of the judged decisions, of which ``right`` are right."""

    judged: int
    effective: float
    right: float
    decided: int
    overturned: int
    decisions: int
    reports: int


class ProjectAlarmOut(BaseModel):
    """A project ("": all together); of each change ``value`` is the change from ``before`` to ``after``."""

    project: str
    state: str
    accuracy: FigureOut
    overturns: FigureOut
    reports_per_1000: FigureOut
    seen: dict[str, SeenOut]
    pending_appeals: int


class AlarmOut(BaseModel):
    """Two windows, by project, those that ring first."""

    before: WindowOut
    after: WindowOut
    margin: float
    projects: list[ProjectAlarmOut]
    alarms: list[str]


class StageOut(BaseModel):
    """What a stage removed first."""

    stage: str
    items: int
    views: int


class MissedOut(BaseModel):
    """Audited items that violate and were not removed; ``items`` names them."""

    count: int
    items: str


class SliceOut(BaseModel):
    """A policy at a severity: what was removed, and recall with its floor, in items and in views."""

    policy: str
    severity: int
    decided: int
    decided_views: int
    unsampled: int
    stages: list[StageOut]
    left_up: int
    left_up_views: int
    restored: int
    kpi: str
    recall: dict[str, FigureOut]
    missed: MissedOut


class InterceptionOut(WindowOut):
    """Each policy and severity, the gravest first."""

    wanted_floor: float
    slices: list[SliceOut]


class RelabelledOut(BaseModel):
    """Items of the old period whose answer has changed since; ``items`` names them."""

    count: int
    items: str


class StratumOut(BaseModel):
    """A policy in a language. ``decisions``: what the judged ones stand for."""

    policy: str
    language: str
    decisions: dict[str, float]
    error_rate: dict[str, FigureOut]
    is_break: bool


class ChangeOut(BaseModel):
    """A project. ``parts`` add up to ``total``; they split a change and claim no interval of their own: that of the
    change by gold of now stands in ``under_gold_of_now``."""

    project: str
    parts: dict[str, float]
    error_rate: dict[str, FigureOut]
    under_gold_of_now: FigureOut
    strata: list[StratumOut]
    relabelled: RelabelledOut


class ChangesOut(BaseModel):
    """Why each project's error rate changed between two periods."""

    before: WindowOut
    after: WindowOut
    projects: list[ChangeOut]


class WeekOut(WindowOut):
    """A week's accuracy."""

    accuracy: FigureOut


class BreakOut(BaseModel):
    """Where the series breaks: ``kind`` policy or gold."""

    week: str
    at: str
    kind: str
    policy: str
    what: str


class SeriesOut(BaseModel):
    """Weekly accuracy, the oldest first."""

    project: str
    weeks: list[WeekOut]
    breaks: list[BreakOut]


class SignalledIn(BaseModel):
    """Which signals are meant: said in [since, until)."""

    model_config = ConfigDict(extra="forbid")

    since: AwareDatetime
    until: AwareDatetime
    project: str | None = None
    kind: SignalKind | None = None
    outcome: str = Field("", description=f"One of {', '.join(OUTCOMES)}.")
    after: After = ""
    limit: Limit = FIRST

    def meant(self) -> Meant:
        return Meant(self.since, self.until, self.project, self.kind, self.outcome)


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
def get_alarm(goldfold: TheGoldfold, until: Until = None, weeks: Weeks = signals.WEEKS) -> AlarmOut:
    """Whether internal QA is flat while overturns or reports rise, by project."""
    return AlarmOut.model_validate(signals.alarm(goldfold, until, weeks))


@router.get("/items", dependencies=[AsLead])
def list_items(goldfold: TheGoldfold, given: Annotated[SignalledIn, Query()]) -> ItemPageOut:
    """The items that signals speak of, a page at a time; figures link here."""
    return ItemPageOut.of(goldfold, signals.items_signalled(goldfold, given.meant()), given.after, given.limit)


@router.get("/overturns", dependencies=[AsLead])
def list_overturns(
    goldfold: TheGoldfold, until: Until = None, weeks: Weeks = 12, project: str = ""
) -> list[OverturnsOut]:
    """By week, the share of decided appeals that were overturned."""
    return [OverturnsOut.model_validate(week) for week in signals.overturns(goldfold, until, weeks, project)]


@interception.get("", dependencies=[AsLead])
def get_interception(
    goldfold: TheGoldfold,
    until: Until = None,
    weeks: Weeks = signals.WEEKS,
    wanted: Annotated[float, Query(gt=0, lt=1, description="The floor of recall to reach.")] = WANTED,
    policy: str = "",
) -> InterceptionOut:
    """By policy and severity: which stage removed items first, and recall with its floor, in items and views."""
    return InterceptionOut.model_validate(signals.intercepted(goldfold, until, weeks, wanted, policy))


@interception.get("/items", dependencies=[AsLead])
def list_intercepted(
    goldfold: TheGoldfold,
    first: Annotated[str, Query(description="The first day, an ISO date.")],
    last: Annotated[str, Query(description="The last day.")],
    policy: str,
    severity: Annotated[int, Query(ge=0, le=4)],
    kind: Annotated[str, Query(description=f"One of {', '.join(KINDS)}.")] = KINDS[0],
    after: After = "",
    limit: Limit = FIRST,
) -> ItemPageOut:
    """The items of a policy at a severity, a page at a time; figures link here."""
    found = signals.items_intercepted(goldfold, (first, last), policy, severity, kind)
    return ItemPageOut.of(goldfold, found, after, limit)


@interception.post("/tickets", status_code=status.HTTP_201_CREATED)
def open_ticket(goldfold: TheGoldfold, caller: Lead, given: TicketIn) -> FindingOut:
    """Open a finding about a policy at a severity; an action on it with the KPI `recall` shows before and after."""
    made = signals.ticket(goldfold, given.policy, given.severity, given.until, given.weeks, caller.key_id)
    return FindingOut.model_validate(root_causes.finding(goldfold, made.finding_id))


@kpi.get("/change", dependencies=[AsLead])
def get_change(
    goldfold: TheGoldfold,
    before: Annotated[str | None, Query(description="The old period: 2026-01-01/2026-01-31.")] = None,
    after: Annotated[str | None, Query(description="The new period.")] = None,
    until: Until = None,
    weeks: Weeks = signals.WEEKS,
    project: str = "",
) -> ChangesOut:
    """A change of the error rate: mix, within, gold relabel, policy break."""
    return ChangesOut.model_validate(signals.change(goldfold, before, after, until, weeks, project))


@kpi.get("/items", dependencies=[AsLead])
def list_behind(
    goldfold: TheGoldfold,
    old: Annotated[str, Query(description="The old period: 2026-01-01/2026-01-31.")],
    new: Annotated[str, Query(description="The new period.")],
    project: str = "",
    what: Literal["judged", "relabelled"] = "judged",
    after: After = "",
    limit: Limit = FIRST,
) -> ItemPageOut:
    """The items behind a change of the error rate, a page at a time; figures link here."""
    found = signals.items_of_change(goldfold, old, new, project, what)
    return ItemPageOut.of(goldfold, found, after, limit)


@kpi.get("/series", dependencies=[AsLead])
def get_series(goldfold: TheGoldfold, until: Until = None, weeks: Weeks = 12, project: str = "") -> SeriesOut:
    """Weekly accuracy, and where the series breaks."""
    return SeriesOut.model_validate(signals.series(goldfold, until, weeks, project))
