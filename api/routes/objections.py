"""Objections of people who answer to what leads decided: /v1/people/me/objections and /v1/objections."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from fastapi import APIRouter, Depends, status
from fastapi.encoders import jsonable_encoder
from pydantic import BaseModel, ConfigDict, Field

from api.auth import Annotator, Lead, Role, require
from api.problems import documented
from api.routes.state import TheGoldfold
from labeling.objection_records import Objection, ObjectionState
from labeling.objections import MAX_WORDS, answer_objection, overruled, raise_objection

own = APIRouter(prefix="/v1/people/me/objections", tags=["people"], responses=documented(404, 409))
router = APIRouter(prefix="/v1/objections", tags=["people"], responses=documented(404, 409))


class ObjectionIn(BaseModel):
    """Which decision is wrong, and why."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"adjudication": "adj-1", "reason": "it quotes the slur"}}
    )

    adjudication: str = Field(min_length=1, max_length=100)
    reason: str = Field(min_length=1, max_length=MAX_WORDS)


class AnswerIn(BaseModel):
    """What a lead says to an objection."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"state": "stands", "answer": "rule 2 speaks of quotes"}}
    )

    state: Literal["stands", "reopened"]
    answer: str = Field(min_length=1, max_length=MAX_WORDS)


class ObjectionOut(BaseModel):
    """An objection, and a lead's answer to it."""

    objection_id: str
    person: str
    adjudication_id: str
    item_id: str
    policy_id: str
    reason: str
    at: datetime
    state: ObjectionState
    answer: str
    answered_by: str
    answered_at: datetime | None

    @classmethod
    def of(cls, one: Objection) -> ObjectionOut:
        return cls.model_validate(one, from_attributes=True)


@own.get("")
def list_own(goldfold: TheGoldfold, caller: Annotator) -> dict[str, Any]:
    """Of the person whose address the key is named by: the answers that a lead decided otherwise, and objections."""
    ledger = goldfold.ledger
    person = caller.name.strip().casefold()
    told = {"overruled": overruled(ledger, person), "objections": ledger.objections.all(person=person)}
    found: dict[str, Any] = jsonable_encoder(told)
    return found


@own.post("", status_code=status.HTTP_201_CREATED)
def post_own(goldfold: TheGoldfold, caller: Annotator, given: ObjectionIn) -> ObjectionOut:
    """Object to a decision against an answer of one's own."""
    now = datetime.now(UTC)
    made = raise_objection(goldfold.ledger, caller.name, given.adjudication, given.reason, caller.key_id, now)
    return ObjectionOut.of(made)


@router.get("", dependencies=[Depends(require(Role.LEAD))])
def list_all(goldfold: TheGoldfold, state: ObjectionState | None = None) -> list[ObjectionOut]:
    """Everybody's, the newest first."""
    return [ObjectionOut.of(one) for one in goldfold.ledger.objections.all(state=state)]


@router.post("/{objection_id}/answer")
def post_answer(goldfold: TheGoldfold, caller: Lead, objection_id: str, given: AnswerIn) -> ObjectionOut:
    """Answer an objection. ``reopened`` puts the decision's gold into quarantine."""
    now, state = datetime.now(UTC), ObjectionState(given.state)
    return ObjectionOut.of(answer_objection(goldfold.ledger, objection_id, state, given.answer, caller.key_id, now))
