"""What every ledger promises about sign-ins at the console."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from labeling.errors import Conflict
from labeling.session_records import ConsoleSession
from labeling.store.interfaces import Ledger
from tests.contracts.ledger import LedgerFixtures
from tests.contracts.records import at


def session(number: int, **changes: Any) -> ConsoleSession:
    base = ConsoleSession(f"hash{number}", "key", "k1", "ada", "lead", f"csrf{number}", at(0), at(number))
    return replace(base, **changes)


class SessionsContract(LedgerFixtures):
    def test_a_session_is_found_until_it_ends(self, ledger: Ledger) -> None:
        ledger.sessions.open(session(5))
        assert ledger.sessions.find("hash5", at(4)) == session(5)
        assert ledger.sessions.find("hash5", at(5)) is None
        assert ledger.sessions.find("hash4", at(0)) is None
        ledger.sessions.end("hash5")
        ledger.sessions.end("hash5")
        assert ledger.sessions.find("hash5", at(4)) is None

    def test_a_hash_opens_one_session(self, ledger: Ledger) -> None:
        ledger.sessions.open(session(5))
        with pytest.raises(Conflict, match="sign in again"):
            ledger.sessions.open(session(5, name="eve"))
        assert ledger.sessions.find("hash5", at(4)) == session(5)

    def test_those_that_ended_are_swept(self, ledger: Ledger) -> None:
        for number in (2, 3, 9):
            ledger.sessions.open(session(number))
        assert ledger.sessions.sweep(at(3)) == 2
        assert ledger.sessions.find("hash9", at(0)) == session(9)
