"""Injections: /v1/injections. Leads only: whoever knew which tasks these are would answer them better."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from api.auth import Role, require
from api.injections import injections_told
from api.routes.figures import FigureOut
from api.routes.state import TheGoldfold

router = APIRouter(prefix="/v1/injections", tags=["injections"])


class TestOut(BaseModel):
    """The sequential test that runs."""

    model_config = ConfigDict(extra="allow")

    state: str
    n: int
    errors: int


class StandingOut(BaseModel):
    """A person under a policy."""

    email: str
    desk: int
    policy_id: str
    accuracy: FigureOut
    last: str
    last_at: datetime | None
    test: TestOut


class MeterOut(BaseModel):
    """Whether injections are recognised: the shares that are right, and their gap."""

    injected: FigureOut
    reviewed: FigureOut
    gap: FigureOut
    recognised: bool


class InjectionsOut(BaseModel):
    """What injections say now."""

    rate: float = Field(description="injections for each copy handed out, as the settings say")
    given: int
    answered: int
    unjudged: int = Field(description="answers whose anchor is contested, stale or gone since")
    flagged: list[str] = Field(description="people whose newest verdict says so, until a lead resumes them")
    people: list[StandingOut] = Field(description="per person and policy: accuracy, last verdict, running test")
    meter: MeterOut = Field(description="injected against looked-at-again work: gap with its interval")


@router.get("", dependencies=[Depends(require(Role.LEAD))])
def injections(goldfold: TheGoldfold) -> InjectionsOut:
    """Each person by policy, whom injections flag, and whether they are recognised."""
    return InjectionsOut.model_validate(injections_told(goldfold))
