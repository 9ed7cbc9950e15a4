"""Misapplication patterns: /v1/patterns. Leads only: a pattern may speak of one person."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from api.auth import Role, require
from api.patterns import mined
from api.problems import documented
from api.routes.state import TheGoldfold

router = APIRouter(
    prefix="/v1/patterns",
    tags=["patterns"],
    dependencies=[Depends(require(Role.LEAD))],
    responses=documented(404, 409, 503),
)


class PatternsOut(BaseModel):
    """What stands now, the surest first. Items go by external id; no content is told."""

    patterns: list[dict[str, Any]] = Field(description="Each with its card, figures, verdict and five exemplars.")
    decisions: int = Field(description="Judged decisions, of which `errors` are wrong.")
    errors: int
    tests: int = Field(description="Cells that were tested, at the false-discovery rate `rate`.")
    rate: float
    withheld: int = Field(description="Answers to items of sealed and anchor, which are not told.")
    unjudged: int = Field(description="Answers that no gold may judge.")
    unclustered: int = Field(description="Decisions whose item has no embedding.")
    golden_version: str
    licence: str


@router.get("")
def list_patterns(goldfold: TheGoldfold) -> PatternsOut:
    """Every pattern that stands now: mined anew from all judged decisions, which takes seconds."""
    return PatternsOut.model_validate(mined(goldfold).as_dict())


@router.get("/{pattern_id}")
def get_pattern(goldfold: TheGoldfold, pattern_id: str) -> dict[str, Any]:
    """One pattern with all its items, what the model says of each circumstance, and the words that set its content
    apart."""
    found = mined(goldfold)
    return found.one(pattern_id).as_dict(found.origin, whole=True)
