"""Legal stops: /v1/stops. Stubs only: the content is gone."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from api.auth import Lead, Role, require
from api.problems import documented
from api.routes.state import TheGoldfold
from labeling.records import LegalStop

router = APIRouter(prefix="/v1/stops", tags=["stops"], responses=documented(404, 409))


class StopOut(BaseModel):
    """The stub of a stopped item."""

    model_config = ConfigDict(from_attributes=True)

    item_id: str
    external_id: str
    content_hash: str
    policy_id: str
    policy_version: str
    round_id: str
    task_id: str
    who: str
    at: datetime
    purged_at: datetime | None = Field(description="When the lake had let its content go; null: not yet.")
    lifted_at: datetime | None
    lifted_by: str
    reason: str

    @classmethod
    def of(cls, stop: LegalStop) -> StopOut:
        return cls.model_validate(stop)


class LiftIn(BaseModel):
    """Why the flag was wrong."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"reason": "a drawing, cleared by counsel"}}
    )

    reason: str = Field(min_length=1, max_length=2000)


@router.get("", dependencies=[Depends(require(Role.LEAD))])
def list_stops(goldfold: TheGoldfold, lifted: bool = False) -> list[StopOut]:
    """The items that somebody stopped, oldest first; with ``lifted`` those whose stop was lifted, too."""
    return [StopOut.of(stop) for stop in goldfold.ledger.stops.all(lifted=lifted)]


@router.post("/{external_id}/lift")
def lift_stop(goldfold: TheGoldfold, external_id: str, given: LiftIn, caller: Lead) -> list[StopOut]:
    """A lead's decision that the flag was wrong: the item, and its copies, may be brought in anew."""
    return [StopOut.of(stop) for stop in goldfold.ledger.stops.lift(external_id, caller.key_id, given.reason)]
