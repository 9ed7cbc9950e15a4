"""Single golden items: /v1/golden/items. Their tiers and states."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from api.auth import Lead, Role, require
from api.problems import documented
from api.routes.state import TheGoldfold
from labeling.golden.blame import blame
from labeling.records import GoldAction
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
