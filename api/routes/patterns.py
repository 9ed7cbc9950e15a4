"""Misapplication patterns: /v1/patterns. Leads only: a pattern may speak of one person."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from api.auth import Role, require
from api.patterns import items_of, mined
from api.problems import documented
from api.routes.figures import FIRST, After, FigureOut, ItemPageOut, Limit
from api.routes.state import TheGoldfold

router = APIRouter(
    prefix="/v1/patterns",
    tags=["patterns"],
    dependencies=[Depends(require(Role.LEAD))],
    responses=documented(404, 409, 503),
)


class CardOut(BaseModel):
    """A pattern in plain words."""

    title: str
    lines: list[str]
    cause: str
    action: str


class PatternOut(BaseModel):
    """A pattern. ``gold`` and ``given``: labels, "": any. ``rate``: the share of decisions that went so wrong there,
    ``other`` elsewhere. Of one person a lead sees intervals only: ``value`` and ``lift`` are null."""

    id: str
    gold: str
    given: str
    error: str
    cluster: str = Field(description="External id of the item that the content is like.")
    cohort: str
    level: str
    lift: float | None
    rate: FigureOut
    other: FigureOut
    p: float
    q: float
    design_effect: float
    verdict: str
    verdict_level: str
    reason: str
    card: CardOut
    exemplars: list[str] = Field(description="External ids of up to five items.")


class PartOut(BaseModel):
    """A circumstance: its share of the variance and its pull in log-odds, as a model has them."""

    name: str
    levels: int
    share: FigureOut
    pull: FigureOut
    leads: float = Field(description="In what share of draws its pull is the largest.")


class PatternWholeOut(PatternOut):
    """The same with what the model says. ``terms``: words of the content."""

    parts: list[PartOut]
    looked_at: int
    unseen: list[str]
    terms: list[str]


class PatternsOut(BaseModel):
    """What stands now, the surest first. Items go by external id; no content is told."""

    patterns: list[PatternOut]
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
def get_pattern(goldfold: TheGoldfold, pattern_id: str) -> PatternWholeOut:
    """One pattern with what the model says of each circumstance, and the words that set its content apart."""
    found = mined(goldfold)
    return PatternWholeOut.model_validate(found.told(found.one(pattern_id), whole=True))


@router.get("/{pattern_id}/items")
def list_items(
    goldfold: TheGoldfold,
    pattern_id: str,
    part: Literal["there", "elsewhere"] = "there",
    after: After = "",
    limit: Limit = FIRST,
) -> ItemPageOut:
    """The items where it went wrong, a page at a time: in the pattern, or outside it."""
    return ItemPageOut.of(goldfold, items_of(goldfold, pattern_id, part), after, limit)
