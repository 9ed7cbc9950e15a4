"""What every ledger promises about signals from outside."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from labeling.errors import Conflict, UnknownItem
from labeling.signal_records import AppealOutcome, Signal, SignalKind, Taken
from labeling.store.interfaces import Ledger
from tests.contracts.ledger import LedgerFixtures, select, together
from tests.contracts.records import at, item


def signal(number: int, **changes: Any) -> Signal:
    base = Signal(
        kind=SignalKind.APPEAL,
        signal_id=f"s{number}",
        item_id=item(number % 3).item_id,
        policy_id="hate",
        project="forum",
        language="pt",
        at=at(number),
        outcome=AppealOutcome.PENDING,
        decision_source="human",
        decision_id=f"d{number}",
    )
    return replace(base, **changes)


def report(number: int) -> Signal:
    return signal(number, kind=SignalKind.REPORT, outcome=None)


class SignalsContract(LedgerFixtures):
    def test_signals_are_appended_once_whatever_races(self, ledger: Ledger) -> None:
        select(ledger)
        rows = [signal(number) for number in range(10)]

        def add(number: int) -> None:
            ledger.signals.add(rows[number % 2 * 3 :])

        together(add)
        assert ledger.signals.add(rows) == Taken(0, 0)
        assert ledger.signals.within(at(0), at(99)) == rows
        assert ledger.signals.add([*rows, report(1)]) == Taken(1, 0)
        assert ledger.signals.find([("report", "s1"), ("report", "s2")]) == {("report", "s1"): report(1)}
        with pytest.raises(Conflict, match="signal_id: 's2' is there already with other content"):
            ledger.signals.add([signal(11), signal(2, project="shop")])
        with pytest.raises(UnknownItem):
            ledger.signals.add([signal(11, item_id="nobody")])
        assert ledger.signals.find([("appeal", "s11")]) == {}

    def test_a_pending_appeal_is_settled_once(self, ledger: Ledger) -> None:
        select(ledger)
        ledger.signals.add([signal(0), signal(1)])
        overturned = signal(0, outcome=AppealOutcome.OVERTURNED)
        assert ledger.signals.add([overturned]) == Taken(0, 1)
        assert ledger.signals.add([overturned, signal(0)]) == Taken(0, 0)  # an older state says nothing new
        assert ledger.signals.find([("appeal", "s0")]) == {("appeal", "s0"): overturned}
        with pytest.raises(Conflict, match="'s0' is there already"):
            ledger.signals.add([signal(0, outcome=AppealOutcome.UPHELD)])

    def test_they_are_counted_by_project_kind_and_outcome(self, ledger: Ledger) -> None:
        select(ledger)
        rows = [signal(0), report(1), report(2), signal(3, project="shop"), signal(50)]
        ledger.signals.add(rows)
        counts = {("forum", "appeal", "pending"): 1, ("forum", "report", ""): 2, ("shop", "appeal", "pending"): 1}
        assert ledger.signals.count(at(0), at(50)) == counts
        assert ledger.signals.within(at(0), at(50), project="shop") == [rows[3]]

    def test_erasure_takes_what_they_say_of_an_item(self, ledger: Ledger) -> None:
        select(ledger)
        ledger.signals.add([signal(0, outcome=AppealOutcome.UPHELD), signal(1)])
        ledger.erasures.begin(item(0).item_id, "ann", "asked for")
        gone, kept = ledger.signals.within(at(0), at(99))
        assert (gone.outcome, gone.language, gone.erased_at is None) == (None, "und", False)
        assert (gone.signal_id, gone.at, kept) == ("s0", at(0), signal(1))
