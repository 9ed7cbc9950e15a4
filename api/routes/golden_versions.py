"""Golden versions between two people, side by side, and with their errata: /v1/golden/versions."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, status
from pydantic import BaseModel, ConfigDict, Field

from api.auth import Lead, Role, require
from api.problems import documented
from api.routes.golden import VersionOut
from api.routes.state import TheGoldfold
from labeling.golden.diff import diff, sealed_pairs, withheld
from labeling.golden_records import Erratum
from labeling.records import GoldAction
from labeling.standing import one_row

router = APIRouter(prefix="/v1/golden/versions", tags=["golden"], responses=documented(404, 409))
MAX_ROWS = 10_000


class DecisionIn(BaseModel):
    """Why a version is approved or rejected."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"reason": "read the diff"}})

    reason: str = Field("", max_length=2000)


class ErratumIn(BaseModel):
    """A row that is wrong. ``policy`` is needed where the item is gold under several."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"external_id": "post-17", "reason": "it quotes a news report"}}
    )

    external_id: str
    reason: str = Field(min_length=1, max_length=2000)
    policy: str | None = None


class ErratumOut(BaseModel):
    """A row of a released version that is known to be wrong; of a sealed one the reason is withheld."""

    model_config = ConfigDict(from_attributes=True)

    version: str
    item_id: str
    policy_id: str
    reason: str
    actor: str
    at: datetime


@router.post("/{version}/approve")
def approve(goldfold: TheGoldfold, version: str, caller: Lead, given: DecisionIn) -> VersionOut:
    """Release a proposed version; the key that proposed it is refused."""
    return VersionOut.of(goldfold.ledger.golden.decide(version, GoldAction.APPROVED, caller.key_id, given.reason))


@router.post("/{version}/reject")
def reject(goldfold: TheGoldfold, version: str, caller: Lead, given: DecisionIn) -> VersionOut:
    """Turn a proposed version down; its number is not given again."""
    return VersionOut.of(goldfold.ledger.golden.decide(version, GoldAction.REJECTED, caller.key_id, given.reason))


@router.get("/{version}/diff/{other}", dependencies=[Depends(require(Role.ENGINEER))])
def compare(
    goldfold: TheGoldfold, version: str, other: str, limit: Annotated[int, Query(ge=0, le=MAX_ROWS)] = 100
) -> dict[str, Any]:
    """What changed from one version to the other. Of sealed rows it is told that they changed, not how."""
    return asdict(diff(goldfold.ledger.golden, version, other, limit))


@router.get("/{version}/errata", dependencies=[Depends(require(Role.VIEWER))])
def list_errata(goldfold: TheGoldfold, version: str) -> list[ErratumOut]:
    """Rows of a version that are known to be wrong, oldest first."""
    golden = goldfold.ledger.golden
    sealed = sealed_pairs(golden.members(version, unreleased=True))
    return [ErratumOut.model_validate(withheld(erratum, sealed)) for erratum in golden.errata(version)]


@router.post("/{version}/errata", status_code=status.HTTP_201_CREATED)
def add_erratum(goldfold: TheGoldfold, version: str, caller: Lead, given: ErratumIn) -> ErratumOut:
    """Say that a row of a released version is wrong; the version stays as it is."""
    golden = goldfold.ledger.golden
    row = one_row(golden, given.external_id, given.policy)
    made = Erratum(version, row.item_id, row.policy_id, given.reason, caller.key_id, datetime.now(UTC))
    return ErratumOut.model_validate(golden.add_erratum(made))
