"""What every ledger promises about the policies' versions and the gold that they touch."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from labeling.errors import Conflict, NotFound
from labeling.policies import Policy
from labeling.policy_proposals import PolicyProposal, ProposalState
from labeling.policy_versions import ChangeKind, PolicyVersion, version_of
from labeling.records import GoldState
from labeling.store.interfaces import Ledger
from tests.contracts.ledger import LedgerFixtures, Opener, select, together
from tests.contracts.records import NO, YES, adjudication, at, golden


def policy(version: str = "1.0.0", **changes: Any) -> Policy:
    rule = {"id": "slur", "title": "Slur", "definition": "what a slur is"}
    base = {"id": "hate", "title": "Hate", "definition": "d", "severity": 2, "threshold": 0.5, "rules": [rule]}
    return Policy.model_validate({**base, "version": version, **changes})


def change(history: list[PolicyVersion], version: str, kind: ChangeKind, **more: Any) -> PolicyVersion:
    return version_of(policy(version), [kind], history, **{"reason": "why", "actor": "ann", "at": at(0), **more})


FIRST = change([], "1.0.0", ChangeKind.NEW)


def proposal(number: int, version: str = "1.1.0", author: str = "ann") -> PolicyProposal:
    told = policy(version).model_dump(mode="json")
    kinds = (ChangeKind.TIGHTEN,)
    return PolicyProposal(f"p{number}", "hate", version, told, kinds, ("slur",), (), "why", author, 10, 5, at(0))


class PoliciesContract(LedgerFixtures):
    def test_versions_are_kept_as_they_were_published(self, ledger: Ledger, opener: Opener) -> None:
        assert (ledger.policies.mark, ledger.policies.all()) == (0, [])
        ledger.policies.first([FIRST])
        ledger.policies.first([replace(FIRST, content_hash="other")])  # it has one by now
        mark = ledger.policies.mark
        second = change([FIRST], "1.1.0", ChangeKind.TIGHTEN, rules=["slur"])
        assert ledger.policies.publish([second]) == {"stale": 0, "retired": 0}
        assert ledger.policies.mark > mark
        again = opener()
        kept = again.policies.all()
        again.close()
        assert [replace(one, at=at(0)) for one in kept] == [FIRST, second]
        assert kept[1].policy == policy("1.1.0")
        assert [row["action"] for row in ledger.audit.latest()] == ["policy.publish"] * 2

    def test_a_version_is_published_once(self, ledger: Ledger) -> None:
        ledger.policies.first([FIRST])
        second = change([FIRST], "1.1.0", ChangeKind.TIGHTEN)
        done: list[int] = []

        def publish(number: int) -> None:
            with suppress(Conflict):
                ledger.policies.publish([second])
                done.append(number)

        together(publish)
        assert len(done) == 1
        with pytest.raises(Conflict, match=r"1\.1\.0 is its newest version now, not 1\.0\.0"):
            ledger.policies.publish([change([FIRST], "1.2.0", ChangeKind.TIGHTEN)])

    def test_first_versions_by_many_processes(self, ledger: Ledger) -> None:
        together(lambda _: ledger.policies.first([FIRST]))
        assert len(ledger.policies.all()) == 1

    def test_gold_is_moved_with_an_event_each_and_once(self, ledger: Ledger) -> None:
        select(ledger)
        ledger.policies.first([FIRST])
        for number, answer in enumerate((YES, NO, NO)):
            final = adjudication(number, answer=answer)
            ledger.golden.fold(final, golden(number, outcome=answer.outcome, rule=answer.rule))
        second = change([FIRST], "1.1.0", ChangeKind.TIGHTEN)
        assert ledger.policies.publish([second]) == {"stale": 2, "retired": 0}
        assert [i.state for i in ledger.golden.items()] == [GoldState.ACTIVE, GoldState.STALE, GoldState.STALE]
        assert ledger.policies.restate() == {"stale": 0, "retired": 0}
        told = [row for row in ledger.audit.latest() if row["action"] == "golden.stale"]
        assert [(row["actor"], row["detail"]["policy_version"]) for row in told] == [("ann", "1.1.0")] * 2  # type: ignore[index]
        gone = change([FIRST, second], "2.0.0", ChangeKind.RETIRE)
        assert ledger.policies.publish([gone]) == {"stale": 0, "retired": 3}
        assert {i.state for i in ledger.golden.items()} == {GoldState.RETIRED}

    def test_what_is_folded_under_an_older_version_is_moved_later(self, ledger: Ledger) -> None:
        select(ledger)
        ledger.policies.first([FIRST])
        ledger.policies.publish([change([FIRST], "1.1.0", ChangeKind.TIGHTEN)])
        ledger.golden.fold(adjudication(1, answer=NO), golden(1, outcome=NO.outcome, rule=None))
        assert ledger.policies.restate() == {"stale": 1, "retired": 0}
        assert ledger.golden.items()[0].state is GoldState.STALE

    def test_a_proposal_waits_for_somebody_else(self, ledger: Ledger) -> None:
        made = ledger.proposals.add(proposal(1))
        assert replace(made, at=at(0)) == proposal(1)
        assert made.policy == policy("1.1.0")
        with pytest.raises(Conflict, match="waits to be decided on already"):
            ledger.proposals.add(proposal(2, "1.2.0"))
        with pytest.raises(Conflict, match="another lead has to approve it"):
            ledger.proposals.decide("hate", "1.1.0", ProposalState.APPROVED, "ann", "")
        with pytest.raises(NotFound, match="was never proposed"):
            ledger.proposals.decide("hate", "9.0.0", ProposalState.APPROVED, "bo", "")
        done = ledger.proposals.decide("hate", "1.1.0", ProposalState.APPROVED, "bo", "read it")
        assert (done.state, done.decided_by, done.decision_reason) == (ProposalState.APPROVED, "bo", "read it")
        assert ledger.proposals.decide("hate", "1.1.0", ProposalState.APPROVED, "cy", "") == done
        with pytest.raises(Conflict, match="approved already, by bo"):
            ledger.proposals.decide("hate", "1.1.0", ProposalState.REJECTED, "ann", "")
        ledger.proposals.add(proposal(2, "1.2.0"))
        gone = ledger.proposals.decide("hate", "1.2.0", ProposalState.REJECTED, "ann", "mine")
        ledger.proposals.add(proposal(3, "1.2.0"))  # it may be proposed again
        assert ledger.proposals.all("hate")[:2] == [done, gone]
        assert ledger.proposals.all("other") == []
        told = [(row["actor"], row["action"]) for row in ledger.audit.latest()]
        assert told[::-1] == [
            ("ann", "policy.propose"),
            ("bo", "policy.approve"),
            ("ann", "policy.propose"),
            ("ann", "policy.reject"),
            ("ann", "policy.propose"),
        ]

    def test_one_version_of_a_policy_waits_at_a_time(self, ledger: Ledger) -> None:
        done: list[int] = []

        def propose(number: int) -> None:
            with suppress(Conflict):
                ledger.proposals.add(proposal(number))
                done.append(number)

        together(propose)
        assert len(done) == len(ledger.proposals.all()) == 1
