"""What every ledger promises about weekly packs."""

from __future__ import annotations

import pytest

from labeling.errors import Conflict, NotFound
from labeling.store.interfaces import Ledger
from labeling.weekly_records import Pack, Signature
from tests.contracts.ledger import LedgerFixtures, Opener, together
from tests.contracts.records import at

WEEK = "2026-W48"


def pack(name: str, revision: int = 1, week: str = WEEK) -> Pack:
    return Pack(name, week, revision, {"said": [name, {"share": 0.1}]}, "ann", at(1))


class WeeklyContract(LedgerFixtures):
    def test_a_draft_comes_back_as_it_was_and_once(self, opener: Opener) -> None:
        ledger = opener()
        assert [ledger.weekly.add(pack("a")), ledger.weekly.add(pack("b")), ledger.weekly.add(pack("a"))] == [1, 1, 0]
        ledger.weekly.add(pack("c", week="2026-W47"))
        ledger.close()
        again = opener()
        assert again.weekly.packs(WEEK) == [pack("a"), pack("b")]
        assert len(again.weekly.packs()) == 3
        again.close()

    def test_one_signature_a_revision_whoever_races(self, ledger: Ledger) -> None:
        ledger.weekly.add(pack("a"))
        refused = []

        def sign(number: int) -> None:
            try:
                ledger.weekly.sign(Signature(WEEK, 1, "a", f"person {number}", at(number)))
            except Conflict:
                refused.append(number)

        together(sign)
        assert (len(ledger.weekly.signatures(WEEK)), len(refused)) == (1, 3)
        with pytest.raises(Conflict, match="is signed by person"):
            ledger.weekly.add(pack("b"))
        assert ledger.weekly.add(pack("b", revision=2))
        with pytest.raises(NotFound, match="no draft 'a'"):
            ledger.weekly.sign(Signature(WEEK, 2, "a", "ann", at(9)))
