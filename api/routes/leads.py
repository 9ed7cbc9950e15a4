"""How far leads agree: /v1/leads."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from api.auth import Role, require
from api.routes.state import TheGoldfold
from labeling.reviews import lead_agreement

router = APIRouter(prefix="/v1/leads", tags=["leads"])


class AgreementOut(BaseModel):
    """How often a second lead, blind, decided as the first had. It names nobody."""

    agreed: dict[str, Any]
    by_policy: dict[str, dict[str, Any]]
    open: int = Field(description="Second looks that wait for a lead.")
    verdicts: dict[str, dict[str, int]] = Field(description="policy -> of which kind the answer is -> adjudications")
    causes: dict[str, dict[str, int]] = Field(description="policy -> why the annotators differed -> adjudications")


@router.get("/agreement", dependencies=[Depends(require(Role.LEAD))])
def get_agreement(goldfold: TheGoldfold) -> AgreementOut:
    """Of every adjudication there is."""
    told = lead_agreement(goldfold.ledger)
    return AgreementOut(
        agreed=told.agreed.as_dict(),
        by_policy={policy: figure.as_dict() for policy, figure in told.by_policy.items()},
        open=told.open,
        verdicts={policy: dict(said) for policy, said in told.verdicts.items()},
        causes={policy: dict(said) for policy, said in told.causes.items()},
    )
