"""What every ledger promises about objections."""

from __future__ import annotations

import pytest

from labeling.errors import Conflict, NotFound
from labeling.objection_records import Objection, ObjectionState
from labeling.store.interfaces import Ledger
from tests.contracts.ledger import LedgerFixtures
from tests.contracts.records import at

ANN = "ann@example.org"


def objection(number: int, person: str = ANN, adjudication: str = "adjudication-1") -> Objection:
    item_id = f"item-{number:06}"
    return Objection(f"obj-{number}", person, adjudication, item_id, "hate", f"reason {number}", at(number))


class ObjectionsContract(LedgerFixtures):
    def test_one_objection_a_person_and_decision_and_one_answer(self, ledger: Ledger) -> None:
        first, second = objection(1), objection(2, "bob@example.org")
        ledger.objections.add(first, "key-1")
        ledger.objections.add(second, "key-2")
        with pytest.raises(Conflict, match="already"):
            ledger.objections.add(first, "key-1")
        assert ledger.objections.all() == [second, first]
        assert ledger.objections.all(person=ANN) == [first]
        closed = ledger.objections.close("obj-1", ObjectionState.STANDS, "read rule 2", "lead", at(9))
        assert closed == ledger.objections.get("obj-1")
        assert (closed.answer, closed.answered_by, closed.answered_at) == ("read rule 2", "lead", at(9))
        assert ledger.objections.all(state=ObjectionState.OPEN) == [second]
        with pytest.raises(Conflict, match="has an answer already: stands"):
            ledger.objections.close("obj-1", ObjectionState.REOPENED, "no", "lead", at(10))
        with pytest.raises(NotFound, match="obj-9"):
            ledger.objections.get("obj-9")
        with pytest.raises(NotFound, match="obj-9"):
            ledger.objections.close("obj-9", ObjectionState.STANDS, "x", "lead", at(1))
        actions = [(row["actor"], row["action"]) for row in ledger.audit.latest(3)]
        assert actions == [("lead", "objection.answer"), ("key-2", "objection.raise"), ("key-1", "objection.raise")]
