"""What the lanes of past rounds brought: /v1/yield, and of one round."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from api.auth import Role, require
from api.problems import documented
from api.routes.figures import FIRST, After, FigureOut, ItemPageOut, Limit
from api.routes.state import TheGoldfold
from labeling.yields import Yields, picked_items, yields

router = APIRouter(prefix="/v1", tags=["rounds"], responses=documented(404, 409, 503))

Cost = Annotated[float | None, Query(gt=0, description="What one settled label costs; without it no money is told.")]
More = Annotated[int, Query(ge=1, le=10_000_000, description="Labels that the forecast is asked about.")]


class LiftOut(BaseModel):
    """How many times the random arm's share the lane's is; the labels that arm would have needed; the labels and the
    money saved."""

    lift: FigureOut
    random_labels: FigureOut
    saved_labels: FigureOut
    saved: FigureOut | None
    n: int
    random_n: int
    method: str
    verdict: str


class LaneOut(BaseModel):
    """A lane under one policy; policy "" counts all. Figures speak for the picks, not for traffic."""

    lane: str
    policy: str
    picks: int
    settled: int
    withheld: int = Field(description="Answers of the partitions sealed and anchor, which are not looked at.")
    violating: FigureOut
    changed: FigureOut = Field(description="The answer is not what the model would have decided.")
    gold: FigureOut
    lift: LiftOut | None = Field(description="Beside the random arm; null for that itself, and for relabel.")
    flipped: FigureOut | None = Field(description="Of relabel: the share of second looks that changed the label.")


class YieldOut(BaseModel):
    """The saving ledger of some rounds, and what more labels are worth."""

    rounds: list[str]
    cost_per_label: float | None
    lanes: list[LaneOut]
    forecast: FigureOut = Field(description="What `more` labels are worth, in points of AUPRC.")

    @classmethod
    def of(cls, told: Yields) -> YieldOut:
        return cls.model_validate(told.as_dict())


@router.get("/yield", dependencies=[Depends(require(Role.VIEWER))])
def get_yields(goldfold: TheGoldfold, cost_per_label: Cost = None, more: More = 500) -> YieldOut:
    """Of every closed round together."""
    return YieldOut.of(yields(goldfold.ledger, cost_per_label=cost_per_label, more=more))


@router.get("/rounds/{round_id}/yield", dependencies=[Depends(require(Role.VIEWER))])
def get_yield(goldfold: TheGoldfold, round_id: str, cost_per_label: Cost = None, more: More = 500) -> YieldOut:
    """Of one round, closed or not: answers that are still to come are not counted."""
    return YieldOut.of(yields(goldfold.ledger, round_id, cost_per_label=cost_per_label, more=more))


@router.get("/yield/items", dependencies=[Depends(require(Role.ENGINEER))])
def list_items(
    goldfold: TheGoldfold,
    round_id: Annotated[list[str] | None, Query(max_length=1000, description="Default: every closed one.")] = None,
    lane: str = "",
    policy: str = "",
    after: After = "",
    limit: Limit = FIRST,
) -> ItemPageOut:
    """The settled picks behind a lane's figures, a page at a time; answers of sealed and anchor are left out."""
    return ItemPageOut.of(goldfold, picked_items(goldfold.ledger, round_id or (), lane, policy), after, limit)
