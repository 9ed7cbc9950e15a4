"""Versions of policies that wait for a second person."""

from __future__ import annotations

import sqlalchemy as sa

from labeling.errors import Conflict, NotFound
from labeling.policy_proposals import PolicyProposal, ProposalState
from labeling.store.audit import write_audit
from labeling.store.database import Database, for_update, now
from labeling.store.rows import dump, insert_missing, load
from labeling.store.tables import policy_proposals

_ACTIONS = {ProposalState.APPROVED: "policy.approve", ProposalState.REJECTED: "policy.reject"}


class SqlPolicyProposals:
    """``PolicyProposals`` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, proposal: PolicyProposal) -> PolicyProposal:
        with self._database.write() as connection:
            made = dump(proposal) | {"at": now(connection)}
            if not insert_missing(connection, policy_proposals, [made], policy_proposals.c.proposal_id):
                raise Conflict(
                    f"policy {proposal.policy_id}: a version waits to be decided on already: approve or reject that "
                    "first (goldfold policy proposals)"
                )
            detail = {"kinds": made["kinds"], "reason": proposal.reason}
            write_audit(connection, proposal.author, "policy.propose", _name(proposal), detail)
            return load(PolicyProposal, made)

    def all(self, policy_id: str | None = None) -> list[PolicyProposal]:
        query = sa.select(policy_proposals).order_by(policy_proposals.c.at, policy_proposals.c.proposal_id)
        if policy_id is not None:
            query = query.where(policy_proposals.c.policy_id == policy_id)
        with self._database.read() as connection:
            return [load(PolicyProposal, row) for row in connection.execute(query).mappings()]

    def decide(self, policy_id: str, version: str, to: ProposalState, actor: str, reason: str) -> PolicyProposal:
        with self._database.write() as connection:
            column = policy_proposals.c
            query = sa.select(policy_proposals).where(column.policy_id == policy_id, column.version == version)
            rows = connection.execute(for_update(connection, query.order_by(column.at.desc()))).mappings().all()
            if not rows:
                raise NotFound(f"{policy_id!r}: version {version} was never proposed (goldfold policy proposals)")
            held = load(PolicyProposal, rows[0])
            if to is ProposalState.APPROVED and actor == held.author:
                raise Conflict(f"policy {policy_id} {version} was proposed by {actor}: another lead has to approve it")
            if held.state is to:
                return held
            if held.state is not ProposalState.PROPOSED:
                raise Conflict(f"policy {policy_id} {version} is {held.state} already, by {held.decided_by}")
            values = {
                "state": to.value,
                "decided_by": actor,
                "decided_at": now(connection),
                "decision_reason": reason.strip(),
            }
            mine = column.proposal_id == held.proposal_id
            connection.execute(sa.update(policy_proposals).where(mine).values(values))
            write_audit(connection, actor, _ACTIONS[to], _name(held), {"reason": reason.strip()})
            return load(PolicyProposal, {**rows[0], **values})


def _name(proposal: PolicyProposal) -> str:
    return f"{proposal.policy_id} {proposal.version}"
