"""Injections: /v1/injections. Leads only: whoever knew which tasks these are would answer them better."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from api.auth import Role, require
from api.injections import injections_told
from api.routes.state import TheGoldfold

router = APIRouter(prefix="/v1/injections", tags=["injections"])


class InjectionsOut(BaseModel):
    """What injections say now."""

    rate: float = Field(description="injections for each copy handed out, as the settings say")
    given: int
    answered: int
    unjudged: int = Field(description="answers whose anchor is contested, stale or gone since")
    flagged: list[str] = Field(description="people whose newest verdict says so, until a lead resumes them")
    people: list[dict[str, Any]] = Field(description="per person and policy: accuracy, last verdict, running test")
    meter: dict[str, Any] = Field(description="injected against looked-at-again work: gap with its interval")


@router.get("", dependencies=[Depends(require(Role.LEAD))])
def injections(goldfold: TheGoldfold) -> InjectionsOut:
    """Each person by policy, whom injections flag, and whether they are recognised."""
    return InjectionsOut.model_validate(injections_told(goldfold))
