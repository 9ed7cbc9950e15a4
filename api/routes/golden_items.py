"""Single golden items: /v1/golden/items. Their tiers and states."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from api.auth import Lead, Role, require
from api.problems import documented
from api.routes.figures import FIRST, After, ItemPageOut, Limit
from api.routes.state import TheGoldfold
from labeling.golden.blame import blame
from labeling.golden.gold_links import GoldAsked
from labeling.judging.golden_items import golden_items
from labeling.records import GoldAction, GoldState, Partition
from labeling.standing import change

router = APIRouter(prefix="/v1/golden/items", tags=["golden"], responses=documented(404, 409))


class ChangeIn(BaseModel):
    """A move between tiers or states. ``policy`` is needed where the item is gold under several."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"action": "retired", "reason": "no longer what users post"}}
    )

    action: Literal["promoted", "demoted", "quarantined", "retired", "restored"]
    reason: str = Field(min_length=1, max_length=2000)
    policy: str | None = None
    dry_run: bool = False


class ChangeOut(BaseModel):
    """The item before and after; with ``dry_run`` as it would be."""

    model_config = ConfigDict(from_attributes=True)

    item_id: str
    external_id: str
    policy_id: str
    action: str
    tier_before: str
    tier: str
    state_before: str
    state: str
    dry_run: bool


class GoldIn(BaseModel):
    """Which golden items are meant; what is left out is any."""

    model_config = ConfigDict(extra="forbid")

    version: str = Field("", description="Rows of it that hold now; left out: gold as it is.")
    partition: Partition | None = None
    policy: str | None = None
    modality: str | None = None
    state: GoldState | None = None
    dimension: str = Field("", description="language, severity, lane, modality, market or a field of the items.")
    value: str = Field("", description="What the dimension says.")
    judging: bool = Field(False, description="Those alone that may judge a model.")
    after: After = ""
    limit: Limit = FIRST

    def asked(self) -> GoldAsked:
        return GoldAsked(**self.model_dump(exclude={"after", "limit"}))


@router.get("", dependencies=[Depends(require(Role.ENGINEER))])
def list_items(goldfold: TheGoldfold, given: Annotated[GoldIn, Query()]) -> ItemPageOut:
    """Golden items, a page at a time; those of sealed and anchor are counted, not named. Figures link here."""
    page = golden_items(goldfold.ledger, goldfold.lake, given.asked(), given.after, given.limit)
    return ItemPageOut.model_validate(page)


@router.get("/{external_id}", dependencies=[Depends(require(Role.LEAD))])
def item_history(goldfold: TheGoldfold, external_id: str) -> dict[str, Any]:
    """The history of one item: events, annotations by id, decisions, versions. A sealed answer is withheld."""
    return asdict(blame(goldfold.ledger, external_id))


@router.post("/{external_id}/changes")
def change_item(goldfold: TheGoldfold, external_id: str, caller: Lead, given: ChangeIn) -> ChangeOut:
    """Move a golden item; a move that its state or the evidence behind it does not allow is refused (409)."""
    done = change(
        goldfold.ledger,
        external_id,
        given.policy,
        GoldAction(given.action),
        actor=caller.key_id,
        reason=given.reason,
        leads=goldfold.settings.leads,
        dry_run=given.dry_run,
    )
    return ChangeOut.model_validate(done)
