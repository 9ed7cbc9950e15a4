"""What every ledger promises about verdicts of the gate and questions to the sealed partition."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest

from labeling.errors import BudgetSpent, NotFound
from labeling.judging.signing import signed, verify_chain
from labeling.model_records import SealedQuery
from labeling.records import GoldenItem, Partition
from labeling.store.interfaces import Ledger
from tests.contracts.ledger import LedgerFixtures, together
from tests.contracts.records import T0, golden, version

QUERY = SealedQuery("q1", T0, "eve", "m1", "w1", "heads", "0.1.0", {"kind": "gate"}, {"p": 0.25, "slices": [1, None]})


class JudgingContract(LedgerFixtures):
    def test_verdicts_appended_at_once_form_one_chain(self, ledger: Ledger) -> None:
        body: dict[str, object] = {"verdict": "pass", "p": 0.1, "slices": [{"n": 3, "wins": None}]}

        def append(number: int) -> None:
            ledger.gates.append(lambda previous: signed(f"gate-{number}", body, previous, "s"))

        together(append)
        rows = ledger.gates.all()
        assert verify_chain(rows, "s") == 4
        assert ledger.gates.get(rows[2].gate_id) == rows[2]
        with pytest.raises(NotFound, match="'nobody'"):
            ledger.gates.get("nobody")

    def test_a_question_is_answered_once_and_repeats_are_kept(self, ledger: Ledger) -> None:
        ledger.golden.add_version(version(), [golden(1, partition=Partition.SEALED)])
        sealed = ledger.sealed
        assert sealed.answer("q1") is None
        assert sealed.add(QUERY, 1) is True
        assert sealed.add(replace(QUERY, answer={"p": 0.5}), 1) is False
        again = replace(QUERY, actor="lea", answer=None, is_repeat=True)
        assert (sealed.add(again, 1), sealed.add(again, 1)) == (True, True)
        assert sealed.answer("q1") == QUERY.answer
        assert sealed.all() == [QUERY, again, again]
        assert (sealed.all("heads"), sealed.all("others")) == ([QUERY, again, again], [])
        with pytest.raises(BudgetSpent, match=r"'heads' has asked .* 1 times of 1"):
            sealed.add(replace(QUERY, question_hash="q2"), 1)
        with pytest.raises(BudgetSpent):
            sealed.check("heads", "0.1.0", 1)
        sealed.check("heads", "0.1.0", 2)
        sealed.check("others", "0.1.0", 1)

    def test_a_budget_holds_whatever_races(self, ledger: Ledger) -> None:
        ledger.golden.add_version(version(), [golden(1, partition=Partition.SEALED)])

        def ask(number: int) -> None:
            with suppress(BudgetSpent):
                ledger.sealed.add(replace(QUERY, question_hash=f"q{number}"), 2)

        together(ask)
        assert ledger.sealed.spent("heads", "0.1.0") == 2

    def test_a_budget_is_that_of_versions_with_half_the_sealed_items_in_common(self, ledger: Ledger) -> None:
        def sealed(*numbers: int) -> list[GoldenItem]:
            return [golden(number, partition=Partition.SEALED) for number in numbers]

        ledger.golden.add_version(version("0.1.0"), sealed(1, 2))
        ledger.golden.add_version(version("0.2.0"), sealed(1, 2, 3, 4))
        ledger.golden.add_version(version("0.3.0"), sealed(2, 3, 4, 5, 6))
        ledger.sealed.add(QUERY, 9)
        spent = [ledger.sealed.spent("heads", name) for name in ("0.1.0", "0.2.0", "0.3.0")]
        assert spent == [1, 1, 0]
