"""Versions of policies between two people: what somebody proposed to publish, and who decided on it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from labeling.policies import Policy
from labeling.policy_versions import ChangeKind


class ProposalState(StrEnum):
    """Of what was proposed."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class PolicyProposal:
    """A version that ``author`` would publish; ``text`` is the whole policy, JSON-able. ``budget`` and ``bridge``: what
    is to follow, in labels and items. ``decided_by``: who approved or rejected it, "" while nobody has."""

    proposal_id: str
    policy_id: str
    version: str
    text: dict[str, object]
    kinds: tuple[ChangeKind, ...]
    rules: tuple[str, ...]
    predecessors: tuple[str, ...]
    reason: str
    author: str
    budget: int
    bridge: int
    at: datetime
    state: ProposalState = ProposalState.PROPOSED
    decided_by: str = ""
    decided_at: datetime | None = None
    decision_reason: str = ""

    @property
    def policy(self) -> Policy:
        """The policy as it would be published."""
        return Policy.model_validate(self.text)


class PolicyProposals(Protocol):
    """The part of the ledger that keeps them; who proposes and who decides is a line of the audit each."""

    def add(self, proposal: PolicyProposal) -> PolicyProposal:
        """Insert; its time is the ledger's. Conflict while another version of that policy waits."""

    def all(self, policy_id: str | None = None) -> list[PolicyProposal]:
        """Oldest first."""

    def decide(self, policy_id: str, version: str, to: ProposalState, actor: str, reason: str) -> PolicyProposal:
        """Approve or reject the newest proposal of that version; a no-op where that is decided already. Raises
        NotFound, Conflict when it was decided otherwise, or when its author would approve it."""
