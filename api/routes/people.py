"""The people who answer: /v1/people, and how far they agree: /v1/agreement.

A lead sees intervals, by name. A person sees their own page, with the points: the page of the address that their key is
named by, so an admin who makes a key for somebody to see their page names it by that person's address.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from api.auth import Annotator, Role, require
from api.problems import documented
from api.routes.state import TheGoldfold
from labeling.people import page_of

router = APIRouter(prefix="/v1", tags=["people"], responses=documented(404, 409, 503))
own = APIRouter(prefix="/v1/people", tags=["people"], responses=documented(404, 409, 503))
Consensus = Annotated[bool, Query(description="Also choose an aggregator for each policy; takes seconds.")]


@router.get("/people", dependencies=[Depends(require(Role.LEAD))])
def list_people(goldfold: TheGoldfold) -> dict[str, Any]:
    """Everybody's page, by name: intervals by policy and language, confusions, drift, speed. No points, no ranks."""
    return goldfold.people().as_dict()


@own.get("/me")
def get_my_page(goldfold: TheGoldfold, caller: Annotator) -> dict[str, Any]:
    """The page of the person whose address the key is named by; 404 when that address has answered nothing."""
    return page_of(goldfold.people(), caller.name).as_dict(points=True)


@router.get("/agreement", dependencies=[Depends(require(Role.VIEWER))])
def get_agreement(goldfold: TheGoldfold, consensus: Consensus = False) -> dict[str, Any]:
    """How far people agree, by policy, language and rule, each figure with n and interval."""
    return goldfold.agreements(consensus=consensus).as_dict()
