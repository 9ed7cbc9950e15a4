"""Daily QA: /v1/qa."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api.auth import Lead, Role, require
from api.daily_qa import decisions_of_day, items_sampled, report_day, sample_day
from api.problems import documented
from api.routes.figures import FIRST, After, FigureOut, ItemPageOut, Limit
from api.routes.state import TheGoldfold
from labeling.insights.sampled_items import VERDICTS, Sampled

router = APIRouter(prefix="/v1/qa", tags=["qa"], responses=documented(404, 409, 503))
Day = Annotated[str | None, Query(description="ISO date (default: yesterday, in exposure_zone).")]


class SampleIn(BaseModel):
    """Which day to sample, and how much of it."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"day": "2026-01-31", "budget": 200}})

    day: str | None = Field(None, description="ISO date (default: yesterday).")
    budget: int | None = Field(None, ge=1, le=100_000, description="Decisions judged again at most.")
    dry_run: bool = False


class SampleOut(BaseModel):
    """A day's sample."""

    model_config = ConfigDict(from_attributes=True)

    day: str
    level: tuple[str, ...] = Field(description="what strata are cut by")
    decisions: int
    left_out: int
    sampled: int
    asked: int
    known: int
    unaskable: dict[str, int]
    rounds: tuple[str, ...]
    again: bool
    dry_run: bool


class SlicesIn(BaseModel):
    """Which sampled decisions are meant; what is left out is any."""

    model_config = ConfigDict(extra="forbid")

    day: str = Field("", description="A day that was sampled, an ISO date.")
    since: AwareDatetime | None = Field(None, description="Decided then or later; with a zone.")
    until: AwareDatetime | None = Field(None, description="Decided before; with a zone.")
    project: str | None = None
    policy: str | None = None
    language: str | None = None
    source: str | None = None
    who: str | None = None
    team: str | None = None
    market: str | None = None
    shift: str | None = None
    tool: str | None = None
    rule: str | None = None
    verdict: str = Field("", description=f"One of {', '.join(VERDICTS)}.")
    after: After = ""
    limit: Limit = FIRST

    def meant(self) -> Sampled:
        apart = {"day", "since", "until", "verdict", "after", "limit"}
        where = self.model_dump(exclude=apart, exclude_none=True)
        return Sampled(self.day, self.since, self.until, where, self.verdict)


class ProjectOut(BaseModel):
    """A project's decisions of the day, and how right they were."""

    project: str
    target: float
    state: str = Field(description="below target, at risk, on target or insufficient.")
    below_target: float | None = Field(description="The probability of being below the target.")
    decisions: int
    sampled: int
    judged: int
    waiting: int
    undecided: int
    withheld: int
    lost: int
    accuracy: FigureOut
    errors: dict[str, FigureOut] = Field(description="By type of error: the share of decisions that are so wrong.")


class StratumOut(BaseModel):
    """A stratum of the day's frame, and how many of it were drawn."""

    key: dict[str, str | int]
    units: int
    picks: int


class ReportOut(BaseModel):
    """What a day's sample says now."""

    day: str
    zone: str
    budget: int
    strata_by: list[str]
    strata: list[StratumOut]
    decisions: int
    left_out: int
    late: int
    sampled: int
    judged: int
    waiting: int
    undecided: int
    withheld: int
    lost: int
    projects: list[ProjectOut]
    breaches: list[str]


@router.get("")
def get_report(goldfold: TheGoldfold, day: Day = None) -> ReportOut:
    """Each project's accuracy and errors, with intervals and design effects, the likeliest below target first."""
    return ReportOut.model_validate(report_day(goldfold, day))


@router.get("/items", dependencies=[Depends(require(Role.LEAD))])
def list_items(goldfold: TheGoldfold, given: Annotated[SlicesIn, Query()]) -> ItemPageOut:
    """The items behind a figure of sampled decisions, a page at a time; figures link here."""
    return ItemPageOut.of(goldfold, items_sampled(goldfold, given.meant()), given.after, given.limit)


@router.post("")
def sample(goldfold: TheGoldfold, caller: Lead, given: SampleIn) -> SampleOut:
    """Draw a day's sample and open its rounds; a day that was sampled stays as it is."""
    made = sample_day(goldfold, given.day, given.budget, actor=caller.key_id, dry_run=given.dry_run)
    return SampleOut.model_validate(made)


@router.get("/decisions", dependencies=[Depends(require(Role.LEAD))])
def list_sampled(
    goldfold: TheGoldfold,
    day: Day = None,
    project: str = "",
    verdict: Annotated[str, Query(description="right, an error type, waiting, undecided, withheld or lost.")] = "",
) -> list[dict[str, Any]]:
    """The decisions behind a day's figures, with their items and verdicts; not who decided."""
    return decisions_of_day(goldfold, day, project, verdict)
