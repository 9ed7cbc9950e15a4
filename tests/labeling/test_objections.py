from __future__ import annotations

from dataclasses import replace

import pytest

from labeling.errors import Conflict, InvalidInput, NotFound
from labeling.golden.partition import Shares
from labeling.objection_records import ObjectionState
from labeling.objections import answer_objection, overruled, raise_objection
from labeling.records import GoldState, Outcome, Partition, TaskKind
from labeling.store.objections import ERASED
from tests.labeling.shop import NO, NOW, Shop, yes

ANN, BOB = "ann@example.org", "bob@example.org"


def disputed(shop: Shop, count: int = 8, **shares: float) -> Shop:
    """Ann says that it violates, Bob that it does not; a lead agrees with Bob."""
    none = {"calibration": 0.0, "dev": 0.0, "sealed": 0.0}
    shop.shares = Shares(**(shares or {"train": 1.0, **none}))
    for task in shop.stocked().send(budget=count):
        shop.answer(task, yes(), NO)
    shop.settle()
    shop.deliver()
    for task in shop.ledger.tasks.where(kind=TaskKind.ADJUDICATION):
        shop.answer(task, NO, people=("lea",))
    shop.settle()
    assert shop.ledger.golden.items()
    return shop


def test_who_was_overruled_sees_what_was_decided(shop: Shop) -> None:
    ledger = disputed(shop, 4).ledger
    found = overruled(ledger, " ANN@example.org ")
    assert {one.adjudication_id for one in found} == {row.adjudication_id for row in ledger.golden.items()}
    assert {(one.said.outcome, one.decided.outcome) for one in found} == {(Outcome.VIOLATES, Outcome.ALLOWED)}
    assert all(one.studio_task_id is not None and not one.said.rationale for one in found)
    assert overruled(ledger, BOB) == []  # agreed with the lead
    assert overruled(ledger, "lea@example.org") == []
    assert overruled(ledger, "eve@example.org") == []


def test_nothing_is_told_of_items_that_stay_secret(shop: Shop) -> None:
    ledger = disputed(shop, 16, train=0.2, calibration=0.1, dev=0.2, sealed=0.3, anchor=0.2).ledger
    by_partition: dict[Partition, set[str]] = {}
    for row in ledger.golden.items():
        by_partition.setdefault(row.partition, set()).add(row.adjudication_id)
    told = {one.adjudication_id for one in overruled(ledger, ANN)}
    open_ones = by_partition.get(Partition.TRAIN, set()) | by_partition.get(Partition.CALIBRATION, set())
    assert told == open_ones
    hidden = set.union(*by_partition.values()) - open_ones
    assert hidden
    for adjudication_id in hidden:
        with pytest.raises(NotFound, match="no decision"):
            raise_objection(ledger, ANN, adjudication_id, "it is wrong", "key", NOW)


def test_an_objection_that_a_lead_agrees_with_puts_the_gold_into_quarantine(shop: Shop) -> None:
    ledger = disputed(shop, 4).ledger
    first, second, *_ = overruled(ledger, ANN)
    one = raise_objection(ledger, ANN, first.adjudication_id, " it quotes the slur ", "key", NOW)
    other = raise_objection(ledger, ANN, second.adjudication_id, "no", "key", NOW)
    assert (one.reason, one.state) == ("it quotes the slur", ObjectionState.OPEN)
    with pytest.raises(Conflict, match="already"):
        raise_objection(ledger, ANN, first.adjudication_id, "again", "key", NOW)
    closed = answer_objection(ledger, one.objection_id, ObjectionState.REOPENED, "you are right", "lea", NOW)
    assert closed.state is ObjectionState.REOPENED
    answer_objection(ledger, other.objection_id, ObjectionState.STANDS, "rule 2", "lea", NOW)
    states = {row.adjudication_id: row.state for row in ledger.golden.items()}
    assert states[first.adjudication_id] is GoldState.QUARANTINED
    assert states[second.adjudication_id] is GoldState.ACTIVE
    (event,) = [e for e in ledger.golden.events(first.item_id) if e.action == "quarantined"]
    assert (event.actor, event.reason) == ("lea", f"objection {one.objection_id}: you are right")
    with pytest.raises(Conflict, match="reopened"):
        answer_objection(ledger, one.objection_id, ObjectionState.STANDS, "no", "lea", NOW)


def test_words_are_needed_and_few(shop: Shop) -> None:
    ledger = disputed(shop, 2).ledger
    (one, *_) = overruled(ledger, ANN)
    for reason in ("  ", "x" * 501):
        with pytest.raises(InvalidInput, match="reason: say why"):
            raise_objection(ledger, ANN, one.adjudication_id, reason, "key", NOW)
    made = raise_objection(ledger, ANN, one.adjudication_id, "x", "key", NOW)
    with pytest.raises(InvalidInput, match="answer: say why"):
        answer_objection(ledger, made.objection_id, ObjectionState.STANDS, "", "lea", NOW)
    with pytest.raises(InvalidInput, match="state: one of"):
        answer_objection(ledger, made.objection_id, ObjectionState.OPEN, "x", "lea", NOW)


def test_what_was_written_goes_with_the_item(shop: Shop) -> None:
    ledger = disputed(shop, 2).ledger
    (one, *_) = overruled(ledger, ANN)
    made = raise_objection(ledger, ANN, one.adjudication_id, "quotes the item", "key", NOW)
    ledger.erasures.begin(one.item_id, "admin", "asked for")
    assert ledger.objections.get(made.objection_id) == replace(made, reason=ERASED)
    assert one.adjudication_id not in {each.adjudication_id for each in overruled(ledger, ANN)}
