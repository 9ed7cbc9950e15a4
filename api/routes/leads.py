"""How far leads agree: /v1/leads."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from api.auth import Role, require
from api.routes.figures import FIRST, After, FigureOut, ItemPageOut, Limit
from api.routes.state import TheGoldfold
from labeling.reviews import lead_agreement, twice_decided

router = APIRouter(prefix="/v1/leads", tags=["leads"])


class AgreementOut(BaseModel):
    """How often a second lead, blind, decided as the first had. It names nobody."""

    agreed: FigureOut
    by_policy: dict[str, FigureOut]
    open: int = Field(description="Second looks that wait for a lead.")
    verdicts: dict[str, dict[str, int]] = Field(description="policy -> of which kind the answer is -> adjudications")
    causes: dict[str, dict[str, int]] = Field(description="policy -> why the annotators differed -> adjudications")


@router.get("/agreement", dependencies=[Depends(require(Role.LEAD))])
def get_agreement(goldfold: TheGoldfold) -> AgreementOut:
    """Of every adjudication there is."""
    return AgreementOut.model_validate(lead_agreement(goldfold.ledger).as_dict())


@router.get("/items", dependencies=[Depends(require(Role.LEAD))])
def list_items(goldfold: TheGoldfold, policy: str = "", after: After = "", limit: Limit = FIRST) -> ItemPageOut:
    """The items that two leads decided, a page at a time."""
    return ItemPageOut.of(goldfold, twice_decided(goldfold.ledger, policy), after, limit)
