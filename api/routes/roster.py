"""The roster: /v1/roster. Leads only: it says who works here, and how much harm each has seen today."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Depends, status
from pydantic import BaseModel, ConfigDict, Field

from api.auth import Lead, Role, require
from api.problems import documented
from api.roster import row_of, rows
from api.routes.state import TheGoldfold
from labeling.roster import add_person, change_person, pause_person, resume_person

router = APIRouter(prefix="/v1/roster", tags=["roster"], responses=documented(404, 409))


class PersonChange(BaseModel):
    """What the roster says of somebody; what is left out stays. ``null`` bounds are those of the settings."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"languages": ["pt", "en"]}})

    name: str | None = None
    active: bool | None = Field(None, description="False: they have left; what waits on their desk is handed on.")
    languages: list[str] | None = Field(None, description="Languages they read; empty: any.")
    opt_outs: list[str] | None = Field(None, description="Policies they are not asked about.")
    daily_exposure: float | None = Field(None, description="Units of exposure a day.")
    severe_in_row: int | None = Field(None, description="Severe items in a row, at most.")
    expert: bool | None = Field(None, description="Whether their blind answers can make an anchor.")

    def fields(self) -> dict[str, Any]:
        """What was given; null has a meaning for the bounds alone."""
        given = self.model_dump(exclude_unset=True, exclude={"email"})
        return {key: value for key, value in given.items() if value is not None or key in BOUNDS}


BOUNDS = ("daily_exposure", "severe_in_row")


class NewPerson(PersonChange):
    """Somebody to put on the roster."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"email": "ana@example.org"}})

    email: str = Field(description="Address of their account in Label Studio.")


class Pause(BaseModel):
    """Why somebody gets nothing new."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"reason": "back on Monday"}})

    reason: str = ""


class PersonOut(BaseModel):
    """Somebody on the roster."""

    email: str
    name: str
    desk: int
    active: bool
    languages: list[str]
    opt_outs: list[str]
    daily_exposure: float | None
    severe_in_row: int | None
    paused: bool
    paused_reason: str
    reviewed_at: datetime | None
    created_at: datetime
    expert: bool


class ListedPerson(PersonOut):
    """With the exposure of today, and the bounds in force."""

    spent: float = Field(description="units today")
    cap: float = Field(description="units a day, at most")
    row_limit: int = Field(description="severe items in a row, at most")


@router.get("", dependencies=[Depends(require(Role.LEAD))])
def list_roster(goldfold: TheGoldfold) -> list[ListedPerson]:
    """Everybody who ever was on it, by desk number."""
    return [ListedPerson.model_validate(row) for row in rows(goldfold, datetime.now(UTC))]


@router.post("", status_code=status.HTTP_201_CREATED)
def add(goldfold: TheGoldfold, caller: Lead, new: NewPerson) -> PersonOut:
    """Put somebody on the roster."""
    person = add_person(goldfold.ledger.people, goldfold.policies, caller.key_id, new.email, new.fields())
    return PersonOut.model_validate(row_of(person))


@router.patch("/{email}")
def change(goldfold: TheGoldfold, caller: Lead, email: str, changes: PersonChange) -> PersonOut:
    """Change what the roster says of somebody."""
    person = change_person(goldfold.ledger.people, goldfold.policies, caller.key_id, email, changes.fields())
    return PersonOut.model_validate(row_of(person))


@router.post("/{email}/pause")
def pause(goldfold: TheGoldfold, caller: Lead, email: str, given: Pause) -> PersonOut:
    """Give somebody nothing new; what lies on their desk stays there."""
    return PersonOut.model_validate(row_of(pause_person(goldfold.ledger.people, caller.key_id, email, given.reason)))


@router.post("/{email}/resume")
def resume(goldfold: TheGoldfold, caller: Lead, email: str) -> PersonOut:
    """Give somebody work again, after a look at what injections said."""
    person = resume_person(goldfold.ledger.people, caller.key_id, email, datetime.now(UTC))
    return PersonOut.model_validate(row_of(person))
