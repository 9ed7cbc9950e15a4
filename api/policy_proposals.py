"""Publishing a version of a policy by one person, or by two where the setting ``two_person_release`` says so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from api.composition import Goldfold
from api.policy_changes import Follow, Published, plan, publish
from labeling.errors import Conflict
from labeling.policies import Policy
from labeling.policy_proposals import PolicyProposal, ProposalState
from labeling.policy_publish import Change


@dataclass(frozen=True, slots=True)
class Released:
    """Either what was ``published``, or the ``proposal`` that waits for another lead."""

    published: Published | None
    proposal: PolicyProposal | None


def release(goldfold: Goldfold, policy: Policy, change: Change, follow: Follow) -> Released:
    """Publish, or propose where two people must. Raises what publishing does, and Conflict while another version of the
    policy waits."""
    if not goldfold.settings.two_person_release:
        return Released(publish(goldfold, policy, change, follow), None)
    planned = plan(goldfold, policy, change)  # what cannot be published is not proposed
    main = planned.versions[0]
    made = PolicyProposal(
        proposal_id=uuid4().hex,
        policy_id=main.policy_id,
        version=main.version,
        text=main.text,
        kinds=main.kinds,
        rules=change.rules,
        predecessors=main.predecessors,
        reason=main.reason,
        author=change.actor,
        budget=follow.budget,
        bridge=follow.bridge,
        at=datetime.now(UTC),
    )
    return Released(None, goldfold.ledger.proposals.add(made))


def approve(goldfold: Goldfold, policy_id: str, version: str, actor: str, reason: str) -> Released:
    """Approve what was proposed, and publish it, in its author's name. Raises NotFound, Conflict for its author, and
    what publishing does, before it counts as approved. A process that is killed in between leaves it approved and not
    published: approving it again publishes it."""
    found = [one for one in goldfold.ledger.proposals.all(policy_id) if one.version == version]
    if found and found[-1].state is not ProposalState.REJECTED:
        _refuse_published(goldfold, found[-1])
        plan(goldfold, found[-1].policy, _change(found[-1]))
    held = goldfold.ledger.proposals.decide(policy_id, version, ProposalState.APPROVED, actor, reason)
    follow = Follow(held.budget, held.bridge)
    return Released(publish(goldfold, held.policy, _change(held), follow), held)


def reject(goldfold: Goldfold, policy_id: str, version: str, actor: str, reason: str) -> PolicyProposal:
    """Turn down what was proposed; its author may, too. Raises NotFound, Conflict where it is approved."""
    return goldfold.ledger.proposals.decide(policy_id, version, ProposalState.REJECTED, actor, reason)


def _change(held: PolicyProposal) -> Change:
    return Change(held.kinds, held.reason, held.author, held.rules, held.predecessors)


def _refuse_published(goldfold: Goldfold, held: PolicyProposal) -> None:
    history = goldfold.shelf.look().histories.get(held.policy_id, ())
    if any(one.version == held.version for one in history):
        raise Conflict(f"policy {held.policy_id} {held.version} is published already; versions never change")
