"""What versions of a policy brought: /v1/policies/{policy_id}/effects."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel, Field

from api.auth import Role, require
from api.policy_effects import MOST_VERSIONS, effects, items_of_effect
from api.problems import documented
from api.routes.figures import FIRST, After, FigureOut, ItemPageOut, Limit
from api.routes.state import TheGoldfold
from labeling.policy_versions import ChangeKind

router = APIRouter(prefix="/v1/policies/{policy_id}/effects", tags=["policies"], responses=documented(404, 503))


class MovedOut(BaseModel):
    """A share before and after, and ``after`` less ``before``."""

    before: FigureOut
    after: FigureOut
    change: FigureOut


class SpanOut(BaseModel):
    """The ``days`` before a version was published, and those after, which end with ``until``."""

    days: int
    until: datetime
    is_over: bool = Field(description="Whether the days after have all passed.")
    beside: list[str] = Field(description="Versions published in the same days: their effect is in these figures too.")
    accuracy: MovedOut = Field(description="Share of sampled decisions that daily QA found right.")
    agreement: MovedOut = Field(description="Share of pairs of blind answers to one task that agree.")
    flips: MovedOut = Field(description="Share of the labels given again in relabel rounds that turned.")


class EffectOut(BaseModel):
    """A version, and what became of the policy's figures around its publication."""

    version: str
    parent: str | None
    kinds: list[ChangeKind]
    reason: str
    actor: str
    at: datetime
    bridge: FigureOut | None = Field(description="Share of all items that the version flips; null without a bridge.")
    spans: list[SpanOut]


@router.get("", dependencies=[Depends(require(Role.VIEWER))])
def list_effects(
    goldfold: TheGoldfold, policy_id: str, limit: Annotated[int, Query(ge=1, le=MOST_VERSIONS)] = 10
) -> list[EffectOut]:
    """The newest versions with accuracy, agreement and flips of the 14 and 30 days before and after."""
    told: list[dict[str, Any]] = effects(goldfold, policy_id, limit)
    return [EffectOut.model_validate(one) for one in told]


@router.get("/items", dependencies=[Depends(require(Role.VIEWER))])
def list_items(
    goldfold: TheGoldfold,
    policy_id: str,
    what: Literal["agreement", "flips"],
    since: AwareDatetime,
    until: AwareDatetime,
    after: After = "",
    limit: Limit = FIRST,
) -> ItemPageOut:
    """The items behind a figure of agreement or flips in [since, until), a page at a time; figures link here."""
    return ItemPageOut.of(goldfold, items_of_effect(goldfold, policy_id, what, since, until), after, limit)
