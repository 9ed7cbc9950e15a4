"""The people who answer: /v1/people, and how far they agree: /v1/agreement.

A lead sees intervals, by name. A person sees their own page, with the points: the page of the address that their key is
named by, so an admin who makes a key for somebody to see their page names it by that person's address.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from api.auth import Annotator, Role, require
from api.problems import documented
from api.routes.figures import FIRST, After, FigureOut, ItemPageOut, Limit
from api.routes.state import TheGoldfold
from labeling.agreements import agreed_items
from labeling.people import answered_items, own_page

router = APIRouter(prefix="/v1", tags=["people"], responses=documented(404, 409, 503))
own = APIRouter(prefix="/v1/people", tags=["people"], responses=documented(404, 409, 503))
Consensus = Annotated[bool, Query(description="Also choose an aggregator for each policy; takes seconds.")]


class PartOut(BaseModel):
    """A person under one policy in one language ("": all). ``confusion``: what is true -> what is said."""

    policy: str
    language: str
    right: FigureOut
    confusion: dict[str, dict[str, FigureOut]]


class DriftOut(BaseModel):
    """The chart of right answers over time. ``target`` is told to that very person alone."""

    model_config = ConfigDict(extra="allow")

    state: str
    figure: FigureOut


class SpeedOut(BaseModel):
    """How fast, of the ``timed`` answers."""

    rushed: FigureOut
    ratio: FigureOut
    timed: int


class PageOut(BaseModel):
    """One person. To a lead each ``value`` is null: intervals only."""

    person: str
    answers: int
    parts: list[PartOut]
    drift: DriftOut
    speed: SpeedOut


class PeopleOut(BaseModel):
    """Everybody, by name."""

    people: list[PageOut]
    withheld: int = Field(description="Answers to items of sealed and anchor, which are not looked at.")


class AgreementOut(BaseModel):
    """Observed agreement, alpha and AC1, with what misleads."""

    observed: FigureOut
    alpha: FigureOut
    ac1: FigureOut
    warnings: list[str]


class OrderedOut(BaseModel):
    """Agreement on severities."""

    alpha_ordinal: FigureOut
    alpha_interval: FigureOut
    ac2: FigureOut


class CellOut(BaseModel):
    """A policy ("": all) in a language ("": all), or of one rule."""

    policy: str
    language: str
    rule_id: str
    outcome: AgreementOut
    rule: AgreementOut | None
    severity: OrderedOut | None


class ChoiceOut(BaseModel):
    """Which aggregator a policy's gold speaks for."""

    chosen: str
    reason: str
    accuracy: dict[str, FigureOut]


class AgreementsOut(BaseModel):
    """How far people agree."""

    cells: list[CellOut]
    consensus: dict[str, ChoiceOut]
    withheld: int


@router.get("/people", dependencies=[Depends(require(Role.LEAD))])
def list_people(goldfold: TheGoldfold) -> PeopleOut:
    """Everybody's page, by name: intervals by policy and language, confusions, drift, speed. No points, no ranks."""
    return PeopleOut.model_validate(goldfold.people().as_dict())


@own.get("/me")
def get_my_page(goldfold: TheGoldfold, caller: Annotator) -> PageOut:
    """The page of the person whose address the key is named by; 404 when that address has answered nothing."""
    return PageOut.model_validate(own_page(goldfold.people(), caller.name))


@own.get("/me/items")
def list_my_items(
    goldfold: TheGoldfold,
    caller: Annotator,
    policy: str = "",
    language: str = "",
    after: After = "",
    limit: Limit = FIRST,
) -> ItemPageOut:
    """The items behind that person's figures, a page at a time."""
    found = answered_items(goldfold.ledger, goldfold.lake, caller.name, policy, language)
    return ItemPageOut.of(goldfold, found, after, limit)


@router.get("/people/items", dependencies=[Depends(require(Role.LEAD))])
def list_items(
    goldfold: TheGoldfold,
    person: str,
    policy: str = "",
    language: str = "",
    after: After = "",
    limit: Limit = FIRST,
) -> ItemPageOut:
    """The items that a person answered blind, a page at a time."""
    found = answered_items(goldfold.ledger, goldfold.lake, person, policy, language)
    return ItemPageOut.of(goldfold, found, after, limit)


@router.get("/agreement", dependencies=[Depends(require(Role.VIEWER))])
def get_agreement(goldfold: TheGoldfold, consensus: Consensus = False) -> AgreementsOut:
    """How far people agree, by policy, language and rule, each figure with n and interval."""
    return AgreementsOut.model_validate(goldfold.agreements(consensus=consensus).as_dict())


@router.get("/agreement/items", dependencies=[Depends(require(Role.ENGINEER))])
def list_agreed(
    goldfold: TheGoldfold,
    policy: str = "",
    language: str = "",
    rule: str = "",
    after: After = "",
    limit: Limit = FIRST,
) -> ItemPageOut:
    """The items with two blind answers or more, a page at a time; `rule`: where anybody says that one is broken."""
    found = agreed_items(goldfold.ledger, goldfold.lake, policy, language, rule)
    return ItemPageOut.of(goldfold, found, after, limit)
