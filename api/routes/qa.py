"""Daily QA: /v1/qa."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from api.auth import Role, require
from api.daily_qa import decisions_of_day, report_day, sample_day
from api.problems import documented
from api.routes.state import TheGoldfold

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


@router.get("")
def get_report(goldfold: TheGoldfold, day: Day = None) -> dict[str, Any]:
    """Each project's accuracy and errors, with intervals and design effects, the likeliest below target first."""
    return report_day(goldfold, day)


@router.post("", dependencies=[Depends(require(Role.LEAD))])
def sample(goldfold: TheGoldfold, given: SampleIn) -> SampleOut:
    """Draw a day's sample and open its rounds; a day that was sampled stays as it is."""
    return SampleOut.model_validate(sample_day(goldfold, given.day, given.budget, dry_run=given.dry_run))


@router.get("/decisions", dependencies=[Depends(require(Role.LEAD))])
def list_sampled(
    goldfold: TheGoldfold,
    day: Day = None,
    project: str = "",
    verdict: Annotated[str, Query(description="right, an error type, waiting, undecided, withheld or lost.")] = "",
) -> list[dict[str, Any]]:
    """The decisions behind a day's figures, with their items and verdicts; not who decided."""
    return decisions_of_day(goldfold, day, project, verdict)
