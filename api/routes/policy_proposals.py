"""Versions of policies between two people: /v1/policies/{policy_id}/proposals."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from api.auth import Lead, Role, require
from api.policy_proposals import approve, reject
from api.problems import documented
from api.routes.golden_versions import DecisionIn
from api.routes.state import TheGoldfold
from labeling.policies import Policy
from labeling.policy_proposals import ProposalState
from labeling.policy_publish import history_of
from labeling.policy_versions import ChangeKind

router = APIRouter(prefix="/v1/policies/{policy_id}/proposals", tags=["policies"], responses=documented(404, 409, 503))


class ProposalOut(BaseModel):
    """A version that somebody would publish; ``text`` is the whole policy."""

    model_config = ConfigDict(from_attributes=True)

    policy_id: str
    version: str
    text: Policy
    kinds: list[ChangeKind]
    rules: list[str]
    predecessors: list[str]
    reason: str
    author: str
    budget: int = Field(description="Labels asked again at most, once it is published.")
    bridge: int
    at: datetime
    state: ProposalState
    decided_by: str
    decided_at: datetime | None
    decision_reason: str


@router.get("", dependencies=[Depends(require(Role.VIEWER))])
def list_proposals(goldfold: TheGoldfold, policy_id: str) -> list[ProposalOut]:
    """Every version of a policy that was proposed, oldest first; at most one waits."""
    found = goldfold.ledger.proposals.all(policy_id)
    if not found:
        history_of(goldfold.ledger, policy_id)
    return [ProposalOut.model_validate(one) for one in found]


@router.post("/{version}/approve")
def approve_version(
    goldfold: TheGoldfold, policy_id: str, version: str, caller: Lead, given: DecisionIn
) -> dict[str, Any]:
    """Publish a proposed version, with what is to follow; the key that proposed it is refused."""
    return asdict(approve(goldfold, policy_id, version, caller.key_id, given.reason))


@router.post("/{version}/reject")
def reject_version(goldfold: TheGoldfold, policy_id: str, version: str, caller: Lead, given: DecisionIn) -> ProposalOut:
    """Turn a proposed version down; it may be proposed again."""
    return ProposalOut.model_validate(reject(goldfold, policy_id, version, caller.key_id, given.reason))
