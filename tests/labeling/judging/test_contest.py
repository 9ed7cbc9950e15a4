from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from typing import Any

import pytest

from labeling.errors import BudgetSpent, Conflict, IntegrityError, NotFound, NotGated, NothingToDo
from labeling.golden.judges import judging_rows
from labeling.golden_records import GoldMove
from labeling.judging.contender import Contender, of_model, of_prototypes
from labeling.judging.contest import Contest, hold
from labeling.judging.gate import Terms
from labeling.judging.promotion import needs_gate, passing_gate, promote
from labeling.judging.sealed import Door
from labeling.judging.signing import verify_chain
from labeling.model_records import ModelState
from labeling.records import GoldAction, Partition
from tests.labeling.school import fit, republish
from tests.labeling.shop import Shop, policy

SECRET = "a secret of thirty-two characters"
TERMS = Terms(dict.fromkeys(range(5), 0.2), {"fraud": 2, "harm": 2}, 13)


def door(shop: Shop, budget: int = 5) -> Door:
    return Door(shop.ledger, budget, TERMS.least, "lea")


def cold(shop: Shop) -> Contender:
    return of_prototypes(shop.lake, shop.policies, shop.prototypes)


def of(shop: Shop, model_id: str) -> Contender:
    return of_model(shop.ledger, shop.lake, shop.policies, shop.ledger.models.get(model_id), fallback=shop.prototypes)


def contest(shop: Shop, challenger: str = "m1", champion: Contender | None = None, **changes: Any) -> Contest:
    made = Contest(of(shop, challenger), champion or cold(shop), "1.0.0", TERMS, SECRET)
    return replace(made, **changes)


def test_a_verdict_says_everything_it_rests_on_and_is_signed_into_the_ledger(exam: Shop) -> None:
    model = fit(exam).model
    told: Any = hold(exam.ledger, contest(exam), door(exam))
    assert told["verdict"] == "pass", told["reasons"]
    assert told["challenger"]["version"] == model.version
    assert told["challenger"]["thresholds"] == {"fraud": 0.5, "harm": 0.5}
    assert told["champion"]["model_id"] == "prototypes"
    assert told["golden"] == {"version": "1.0.0", "merkle_root": exam.ledger.golden.version("1.0.0").merkle_root}
    assert told["terms"]["margins"]["4"] == 0.2
    sealed = judging_rows(exam.ledger.golden, "1.0.0", Partition.SEALED)
    anchors = judging_rows(exam.ledger.golden, "1.0.0", Partition.ANCHOR)
    assert told["n"] + told["left_out"] == len(sealed) > 30
    assert told["anchors"] == {"n": len(anchors), "right": len(anchors)}
    assert [one["name"] for one in told["slices"]] == [
        "policy=fraud",
        "policy=fraud language=en",
        "policy=fraud language=pt",
        "severity=2",
    ]
    (row,) = exam.ledger.gates.all()
    assert verify_chain([row], SECRET) == 1
    assert (row.row_hash, told["signed"], row.body["verdict"]) == (told["row_hash"], True, "pass")
    for row_ in (*sealed, *anchors):
        assert row_.item_id not in json.dumps(told)


def test_a_verdict_says_how_much_sealed_gold_is_stale_and_does_without_it(exam: Shop) -> None:
    fit(exam)
    sealed = judging_rows(exam.ledger.golden, "1.0.0", Partition.SEALED)
    exam.ledger.golden.change(
        [
            GoldMove(row.item_id, row.policy_id, row.adjudication_id, GoldAction.STALED, "lea", "the policy changed")
            for row in sealed[:3]
        ]
    )
    told: Any = hold(exam.ledger, contest(exam), door(exam))
    assert told["stale"] == 3
    assert told["n"] + told["left_out"] == len(sealed) - 3


def test_the_same_contest_again_is_the_same_verdict_and_costs_nothing(exam: Shop) -> None:
    fit(exam)
    first: Any = hold(exam.ledger, contest(exam), door(exam))
    again: Any = hold(exam.ledger, contest(exam), door(exam))
    assert (first["is_repeat"], again["is_repeat"]) == (False, True)
    assert (first["budget_left"], again["budget_left"]) == (4, 4)
    assert again["row_hash"] == first["row_hash"]
    assert len(exam.ledger.gates.all()) == 1
    asked = exam.ledger.sealed.all()
    assert [(query.actor, query.is_repeat, query.answer is None) for query in asked] == [
        ("lea", False, False),
        ("lea", True, True),
    ]


def test_a_moved_threshold_is_another_contest(exam: Shop) -> None:
    fit(exam)
    hold(exam.ledger, contest(exam), door(exam))
    exam.policies["fraud"] = policy("fraud", "cheat money", threshold=0.999999)
    told: Any = hold(exam.ledger, contest(exam), door(exam))
    assert (told["is_repeat"], told["verdict"]) == (False, "fail")  # it misses everything, anchors included
    assert verify_chain(exam.ledger.gates.all(), SECRET) == 2


def test_a_budget_that_is_spent_is_refused_with_the_cure_and_repeats_go_on(exam: Shop) -> None:
    fit(exam, "m1")
    fit(exam, "m2", seed=4)
    hold(exam.ledger, contest(exam, "m1"), door(exam, 1))
    with pytest.raises(BudgetSpent, match=r"'head on hash-1' has asked .* 1 times of 1: .* sealed_budget"):
        hold(exam.ledger, contest(exam, "m2"), door(exam, 1))  # another model of the same family
    assert hold(exam.ledger, contest(exam, "m1"), door(exam, 1))["is_repeat"] is True
    assert len(exam.ledger.gates.all()) == 1


def test_a_new_version_of_the_same_exam_gives_no_new_budget_and_a_new_exam_does(exam: Shop) -> None:
    fit(exam)
    hold(exam.ledger, contest(exam), door(exam))
    family = "head on hash-1"
    moved = next(row for row in exam.ledger.golden.items() if row.partition is Partition.TRAIN)
    exam.ledger.golden.regroup([moved.group_id], moved.group_id, Partition.DEV)
    assert exam.ledger.sealed.spent(family, republish(exam)) == 1
    for row in exam.ledger.golden.items():
        if row.partition in (Partition.DEV, Partition.CALIBRATION):
            exam.ledger.golden.regroup([row.group_id], row.group_id, Partition.SEALED)
    assert exam.ledger.sealed.spent(family, republish(exam)) == 1  # half of them or more are known
    for row in exam.ledger.golden.items():
        known = row.partition is Partition.SEALED and row in exam.ledger.golden.members("1.0.0")
        if known:
            exam.ledger.golden.regroup([row.group_id], row.group_id, Partition.DEV)
    assert exam.ledger.sealed.spent(family, republish(exam)) == 0


def test_a_crash_before_the_verdict_was_written_loses_nothing(exam: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    fit(exam)
    with monkeypatch.context() as patch:
        patch.setattr(exam.ledger.gates, "append", die)
        with pytest.raises(Killed):
            hold(exam.ledger, contest(exam), door(exam))
    assert exam.ledger.gates.all() == []
    told = hold(exam.ledger, contest(exam), door(exam))
    assert (told["is_repeat"], len(exam.ledger.gates.all())) == (True, 1)


def test_what_cannot_be_judged_is_said(exam: Shop) -> None:
    fit(exam)
    with pytest.raises(Conflict, match="is the champion itself"):
        hold(exam.ledger, contest(exam, champion=of(exam, "m1")), door(exam))
    with pytest.raises(NotFound):
        hold(exam.ledger, contest(exam, golden_version="9.9.9"), door(exam))
    for row in exam.ledger.golden.items():
        if row.partition is Partition.SEALED:
            exam.ledger.golden.regroup([row.group_id], row.group_id, Partition.DEV)
    with pytest.raises(NothingToDo, match="has no sealed item"):
        hold(exam.ledger, contest(exam, golden_version=republish(exam)), door(exam))
    assert exam.ledger.sealed.all() == []


def test_a_promotion_needs_a_pass_of_this_very_model_champion_and_version(exam: Shop) -> None:
    fit(exam, "m1")
    fit(exam, "m2", seed=4)
    stores = exam.ledger
    with pytest.raises(NotGated, match=r"'m1' as it is now was not judged against 'prototypes'.*goldfold gate m1"):
        passing_gate(stores, of(exam, "m1"), cold(exam), TERMS, SECRET)
    gate_id = hold(stores, contest(exam), door(exam))["gate_id"]
    assert passing_gate(stores, of(exam, "m1"), cold(exam), TERMS, SECRET) == gate_id
    with pytest.raises(NotGated):
        passing_gate(stores, of(exam, "m2"), cold(exam), TERMS, SECRET)
    with pytest.raises(NotGated):
        passing_gate(stores, of(exam, "m1"), of(exam, "m2"), TERMS, SECRET)
    with pytest.raises(NotGated, match="as it is now"):  # the settings have become stricter since
        passing_gate(stores, of(exam, "m1"), cold(exam), replace(TERMS, least=30), SECRET)
    with pytest.raises(IntegrityError, match="not signed with gate_secret"):
        passing_gate(stores, of(exam, "m1"), cold(exam), TERMS, SECRET[::-1])
    promote(stores, "m1", "lea", gate_id=str(gate_id))
    assert stores.models.history("m1")[-1].gate_id == gate_id
    exam.policies["fraud"] = policy("fraud", "cheat money", threshold=0.6)
    with pytest.raises(NotGated, match="as it is now"):
        passing_gate(stores, of(exam, "m1"), cold(exam), TERMS, SECRET)
    exam.policies["fraud"] = policy("fraud", "cheat money")
    moved = next(row for row in stores.golden.items() if row.partition is Partition.TRAIN)
    stores.golden.regroup([moved.group_id], moved.group_id, Partition.DEV)
    republish(exam)
    with pytest.raises(NotGated, match=r"on golden version 1\.1\.0"):
        passing_gate(stores, of(exam, "m1"), cold(exam), TERMS, SECRET)


def test_a_verdict_that_is_no_pass_or_was_edited_in_the_database_promotes_nothing(exam: Shop) -> None:
    fit(exam)
    exam.policies["fraud"] = policy("fraud", "cheat money", threshold=0.999999)
    hold(exam.ledger, contest(exam), door(exam))
    with pytest.raises(NotGated, match=r"verdict gate-\w+ is fail \(\d+ of \d+ anchors are decided wrongly"):
        passing_gate(exam.ledger, of(exam, "m1"), cold(exam), TERMS, SECRET)
    with sqlite3.connect(exam.folder / "ledger.db") as connection:
        connection.execute("UPDATE gates SET body = replace(body, '\"fail\"', '\"pass\"')")
    with pytest.raises(IntegrityError, match="what it says was changed"):
        passing_gate(exam.ledger, of(exam, "m1"), cold(exam), TERMS, "")
    assert exam.ledger.models.get("m1").state is ModelState.CANDIDATE


def test_when_a_gate_is_needed(exam: Shop) -> None:
    fit(exam)
    stores = exam.ledger
    assert [needs_gate(stores, setting, None) for setting in ("after-first", "always", "never")] == [False, True, False]
    promote(stores, "m1", "lea")
    assert [needs_gate(stores, setting, None) for setting in ("after-first", "always", "never")] == [True, True, False]
    assert needs_gate(stores, "always", "the champion is broken") is False
    with pytest.raises(Exception, match="say why"):
        needs_gate(stores, "always", " ")
