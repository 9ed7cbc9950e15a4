"""The anchoring meter: /v1/anchoring. Leads only: it speaks of single people."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from api.anchoring import anchoring_told
from api.auth import Role, require
from api.routes.figures import FIRST, After, FigureOut, ItemPageOut, Limit
from api.routes.state import TheGoldfold
from labeling.anchoring import assisted_items

router = APIRouter(prefix="/v1/anchoring", tags=["anchoring"])


class PolicyShiftOut(FigureOut):
    """A policy's shift."""

    policy_id: str


class PersonShiftOut(PolicyShiftOut):
    """A person's under a policy."""

    email: str
    desk: int


class AnchoringOut(BaseModel):
    """How far suggestions pull. A shift: P(answer is the suggestion | assisted) less the same blind, with its ends."""

    given: int = Field(description="assisted tasks")
    answered: int
    withheld: int = Field(description="answered tasks that no figure tells of: their gold is sealed, or an anchor")
    origins: dict[str, int] = Field(description="what people made of the suggestions: taken, changed, anew, unknown")
    people: list[PersonShiftOut] = Field(description="per person and policy, against others' blind answers")
    policies: list[PolicyShiftOut]
    overall: FigureOut
    wrong: FigureOut = Field(description="the shift where the suggestion is not the gold: a bound from above")
    misled: FigureOut = Field(description="of the assisted answers there, those that are the suggestion")


@router.get("", dependencies=[Depends(require(Role.LEAD))])
def anchoring(goldfold: TheGoldfold) -> AnchoringOut:
    """How far suggestions pull answers, by person and policy and over all."""
    return AnchoringOut.model_validate(anchoring_told(goldfold))


@router.get("/items", dependencies=[Depends(require(Role.LEAD))])
def list_items(
    goldfold: TheGoldfold, policy: str = "", person: str = "", after: After = "", limit: Limit = FIRST
) -> ItemPageOut:
    """The items of answered assisted tasks, a page at a time."""
    return ItemPageOut.of(goldfold, assisted_items(goldfold.ledger, policy, person), after, limit)
