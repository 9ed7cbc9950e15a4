"""Erasures and legal holds: /v1/erasures, /v1/holds."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Depends, status
from pydantic import BaseModel, ConfigDict, Field

from api.auth import Admin, Lead, Role, require
from api.problems import documented
from api.routes.state import TheGoldfold
from labeling.erasure import erase, reach, standings

router = APIRouter(prefix="/v1", tags=["erasures"], responses=documented(404, 409, 503))


class EraseIn(BaseModel):
    """An item to erase. The reason is kept for good: quote no content in it."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"external_id": "post-17", "reason": "asked by its author"}}
    )

    external_id: str
    reason: str = Field(min_length=1, max_length=2000)
    dry_run: bool = False


class AckIn(BaseModel):
    """A recipient of an export who has let the item go."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"recipient": "team-b@example.org"}})

    recipient: str = Field(min_length=1, max_length=200)
    note: str = Field("", max_length=2000)


class HoldIn(BaseModel):
    """Why an item must not be erased, or may be again."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"reason": "case 2026-114"}})

    reason: str = Field(min_length=1, max_length=2000)


class HoldOut(BaseModel):
    """A legal hold."""

    model_config = ConfigDict(from_attributes=True)

    hold_id: str
    item_id: str
    external_id: str
    reason: str
    actor: str
    at: datetime
    released_at: datetime | None
    released_by: str
    release_reason: str


@router.get("/erasures", dependencies=[Depends(require(Role.LEAD))])
def list_erasures(goldfold: TheGoldfold) -> list[dict[str, Any]]:
    """Every erasure, with the steps that are left and who has acknowledged it."""
    return [asdict(one) for one in standings(goldfold.ledger)]


@router.post("/erasures", status_code=status.HTTP_201_CREATED)
def erase_item(goldfold: TheGoldfold, caller: Admin, given: EraseIn) -> dict[str, Any]:
    """Erase an item everywhere, or go on with it; `dry_run` says what would go. Its tasks in Label Studio go with the
    next sync; `remains` says where the database's server may hold it for longer."""
    before = reach(goldfold.ledger, given.external_id)
    done = None
    if not given.dry_run:
        done = erase(goldfold.ledger, goldfold.lake, goldfold.places, given.external_id, caller.key_id, given.reason)
    told = {"reach": asdict(before), "erasure": None if done is None else asdict(done), "dry_run": given.dry_run}
    return {**told, "remains": goldfold.ledger.erasures.remains()}


@router.post("/erasures/{external_id}/acknowledgements")
def acknowledge(goldfold: TheGoldfold, external_id: str, caller: Lead, given: AckIn) -> list[dict[str, Any]]:
    """Note that a recipient of an export has let the item go."""
    found = goldfold.ledger.erasures.acknowledge(external_id, given.recipient, caller.key_id, given.note)
    return [asdict(notice) for notice in found]


@router.get("/holds", dependencies=[Depends(require(Role.LEAD))])
def list_holds(goldfold: TheGoldfold) -> list[HoldOut]:
    """The legal holds in force, oldest first."""
    return [HoldOut.model_validate(hold) for hold in goldfold.ledger.erasures.holds()]


@router.post("/holds/{external_id}", status_code=status.HTTP_201_CREATED)
def hold_item(goldfold: TheGoldfold, external_id: str, caller: Admin, given: HoldIn) -> HoldOut:
    """Keep an item from being erased."""
    item = goldfold.ledger.items.named(external_id)
    return HoldOut.model_validate(goldfold.ledger.erasures.hold(item, caller.key_id, given.reason))


@router.post("/holds/{external_id}/release")
def release_item(goldfold: TheGoldfold, external_id: str, caller: Admin, given: HoldIn) -> list[HoldOut]:
    """Release every hold on an item."""
    item = goldfold.ledger.items.named(external_id)
    found = goldfold.ledger.erasures.release(item.item_id, caller.key_id, given.reason)
    return [HoldOut.model_validate(hold) for hold in found]
