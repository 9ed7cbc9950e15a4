"""Production's decisions: /v1/decisions."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Query, status
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api.auth import Lead, Role, require
from api.daily_qa import count_days, decision_told, take_in
from api.problems import documented
from api.routes.state import TheGoldfold
from labeling.decision_records import Decided, Source
from labeling.errors import NotFound

router = APIRouter(prefix="/v1/decisions", tags=["decisions"], responses=documented(404, 409, 503))

EXAMPLE = {
    "decisions": [
        {
            "decision_id": "d-1",
            "source": "human",
            "who": "mod-17",
            "item": "post-1",
            "policy": "hate_speech",
            "outcome": "violates",
            "rule": "general",
            "action": "remove",
            "decided_at": "2026-01-31T12:00:00Z",
            "project": "forum",
        }
    ]
}


class DecisionsIn(BaseModel):
    """A batch of decisions. A batch with a bad row is refused whole; the answer names every bad row and field."""

    model_config = ConfigDict(extra="forbid")

    decisions: list[dict[str, Any]] = Field(min_length=1, max_length=10_000, description="One object a decision.")


class DecisionsOut(BaseModel):
    """What a batch did."""

    read: int
    added: int
    already_there: int
    repeated: int


class DecisionOut(BaseModel):
    """A decision, who decided included."""

    source: Source
    decision_id: str
    item_id: str
    policy_id: str
    policy_version: str
    who: str
    outcome: Decided | None
    rule: str | None
    action: str
    decided_at: datetime
    project: str
    team: str
    language: str
    market: str
    shift: str
    tool: str
    erased_at: datetime | None


class RenameIn(BaseModel):
    """A person's new id; empty: the person is forgotten."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"who": "mod-17", "to": ""}})

    who: str = Field(min_length=1, max_length=512)
    to: str = Field("", max_length=512)


@router.post("", status_code=status.HTTP_201_CREATED, dependencies=[Depends(require(Role.ENGINEER))])
def add_decisions(goldfold: TheGoldfold, batch: Annotated[DecisionsIn, Body(examples=[EXAMPLE])]) -> DecisionsOut:
    """Add decisions. The same decision again is no error; the same id with other content is (422)."""
    report = take_in(goldfold, batch.decisions)
    return DecisionsOut(
        read=report.read, added=report.added, already_there=report.already_there, repeated=report.repeated
    )


@router.get("", dependencies=[Depends(require(Role.LEAD))])
def list_decisions(
    goldfold: TheGoldfold,
    since: Annotated[AwareDatetime | None, Query(description="Decided then or later; with a zone.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Decided before; with a zone.")] = None,
    project: str = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    after: Annotated[str, Query(description="Source and id of the last one that is known: human/d-1.")] = "",
) -> list[DecisionOut]:
    """Decisions by time. `who` is somebody's work: leads only."""
    place = None
    if after:
        source, _, decision_id = after.partition("/")
        known = goldfold.ledger.decisions.find([(source, decision_id)]).get((source, decision_id))
        if known is None:
            raise NotFound(f"after: {after!r} is no decision that is known; write source and id, such as human/d-1")
        place = (known.decided_at, source, decision_id)
    found = goldfold.ledger.decisions.page(since, until, project=project, after=place, limit=limit)
    return [DecisionOut(**decision_told(one)) for one in found]


@router.get("/days")
def list_days(
    goldfold: TheGoldfold,
    until: Annotated[str | None, Query(description="The last day (default: yesterday).")] = None,
    days: Annotated[int, Query(ge=1, le=92)] = 7,
) -> list[dict[str, Any]]:
    """How many decisions each day has, by project and source, and whether it was sampled."""
    return count_days(goldfold, until, days)


@router.post("/people")
def rename_person(goldfold: TheGoldfold, caller: Lead, given: RenameIn) -> dict[str, int]:
    """Give a person another id in all decisions of theirs, or forget them."""
    return {"decisions": goldfold.ledger.decisions.rename(given.who, given.to, caller.key_id)}
