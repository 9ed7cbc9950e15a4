"""After a change of policy has made one side of the gold stale, nobody gives a figure of what is left."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from labeling.errors import TooLittleGold
from labeling.golden.judges import judging_rows
from labeling.golden_records import GoldMove
from labeling.judging.contender import Contender, of_model, of_prototypes
from labeling.judging.contest import Contest, hold
from labeling.judging.evaluate import ask_sealed, judge
from labeling.judging.gate import UNDERPOWERED, Terms
from labeling.judging.sealed import Door
from labeling.judging.thresholds import MISS_RATE, PRECISION, Wanted, set_threshold
from labeling.records import GoldAction, GoldState, Outcome, Partition
from labeling.training import evaluate_model
from tests.labeling.school import fit, republish
from tests.labeling.shop import Shop

TERMS = Terms(dict.fromkeys(range(5), 0.2), {"fraud": 2, "harm": 2}, 13)


@pytest.fixture
def judged(exam: Shop) -> Contender:
    fit(exam)
    return of_model(exam.ledger, exam.lake, exam.policies, exam.ledger.models.get("m1"), fallback=exam.prototypes)


def outdate(shop: Shop, partition: Partition, outcome: Outcome, version: str = "1.0.0") -> int:
    """Make the labels of this outcome stale, as a change of policy does; how many."""
    moves = [
        GoldMove(row.item_id, row.policy_id, row.adjudication_id, GoldAction.STALED, "lea", "the policy changed")
        for row in judging_rows(shop.ledger.golden, version, partition)
        if row.outcome is outcome
    ]
    shop.ledger.golden.change(moves)
    return len(moves)


def draw(shop: Shop, judged: Contender, wanted: Wanted) -> Any:
    return set_threshold(shop.ledger, judged, "fraud", wanted, golden_version="1.0.0", actor="eve")


def test_a_dev_partition_of_one_kind_judges_nobody(exam: Shop, judged: Contender) -> None:
    for row in exam.ledger.golden.items(partition=Partition.CALIBRATION):  # so that one kind alone is enough rows
        exam.ledger.golden.regroup([row.group_id], row.group_id, Partition.DEV)
    version = republish(exam)
    evaluate_model(exam.ledger, exam.lake, exam.policies, "m1", version)
    before = exam.ledger.models.get("m1").metrics
    stale = outdate(exam, Partition.DEV, Outcome.ALLOWED, version)
    cure = rf"fraud: all \d\d labels that are left are violating \({stale} are stale\); label more .*policy relabel"
    with pytest.raises(TooLittleGold, match=cure):
        evaluate_model(exam.ledger, exam.lake, exam.policies, "m1", version)
    with pytest.raises(TooLittleGold, match=cure):
        judge(exam.ledger.golden, exam.lake, judged, version)
    assert exam.ledger.models.get("m1").metrics == before
    outdate(exam, Partition.DEV, Outcome.VIOLATES, version)
    with pytest.raises(TooLittleGold, match="no label is left"):
        evaluate_model(exam.ledger, exam.lake, exam.policies, "m1", version)


def test_what_is_left_of_dev_may_be_too_few(exam: Shop, judged: Contender) -> None:
    outdate(exam, Partition.DEV, Outcome.ALLOWED)
    with pytest.raises(TooLittleGold, match=r"fraud: \d+ labels are left, 13 are needed \(\d+ are stale\)"):
        judge(exam.ledger.golden, exam.lake, judged, "1.0.0")


@pytest.mark.parametrize("outcome", [Outcome.ALLOWED, Outcome.VIOLATES])
def test_no_precision_is_kept_by_labels_of_one_kind(exam: Shop, judged: Contender, outcome: Outcome) -> None:
    assert draw(exam, judged, Wanted(PRECISION, 0.6))["n"] > 0
    outdate(exam, Partition.CALIBRATION, outcome)
    with pytest.raises(TooLittleGold, match=r"cannot set a threshold .* fraud: .*stale"):
        draw(exam, judged, Wanted(PRECISION, 0.6))


def test_a_miss_rate_takes_violating_labels_alone(exam: Shop, judged: Contender) -> None:
    before = draw(exam, judged, Wanted(MISS_RATE, 0.3))
    outdate(exam, Partition.CALIBRATION, Outcome.ALLOWED)
    assert draw(exam, judged, Wanted(MISS_RATE, 0.3))["bound"] == before["bound"]
    stale = outdate(exam, Partition.CALIBRATION, Outcome.VIOLATES)
    assert stale
    with pytest.raises(TooLittleGold, match="no label is left"):
        draw(exam, judged, Wanted(MISS_RATE, 0.3))


def gate(shop: Shop, judged: Contender, door: Door) -> Any:
    cold = of_prototypes(shop.lake, shop.policies, shop.prototypes)
    return hold(shop.ledger, Contest(judged, cold, "1.0.0", TERMS), door)


def test_sealed_gold_of_one_kind_lets_nobody_pass_and_costs_nothing(exam: Shop, judged: Contender) -> None:
    door = Door(exam.ledger, 5, TERMS.least, "lea")
    stale = outdate(exam, Partition.SEALED, Outcome.VIOLATES)
    with pytest.raises(TooLittleGold, match=rf"tell two models apart .* are of one kind \({stale} are stale\)"):
        gate(exam, judged, door)
    with pytest.raises(TooLittleGold, match="judge by its sealed partition"):
        ask_sealed(exam.ledger, exam.lake, judged, "1.0.0", (), door)
    outdate(exam, Partition.SEALED, Outcome.ALLOWED)
    with pytest.raises(TooLittleGold, match="no label is left"):
        gate(exam, judged, door)
    assert (exam.ledger.sealed.all(), exam.ledger.gates.all()) == ([], [])


def test_of_a_few_sealed_answers_nobody_hears_that_they_are_alike(exam: Shop, judged: Contender) -> None:
    outdate(exam, Partition.SEALED, Outcome.VIOLATES)
    left = judging_rows(exam.ledger.golden, "1.0.0", Partition.SEALED)
    terms = replace(TERMS, least=len(left) + 1)
    cold = of_prototypes(exam.lake, exam.policies, exam.prototypes)
    told: Any = hold(exam.ledger, Contest(judged, cold, "1.0.0", terms), Door(exam.ledger, 5, terms.least, "lea"))
    assert (told["verdict"], told["reasons"]) == (UNDERPOWERED, ["policy=fraud: too few sealed answers to tell"])


def test_a_policy_whose_sealed_gold_is_all_stale_holds_the_verdict_up(
    exam: Shop, judged: Contender, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = Door(exam.ledger, 5, TERMS.least, "lea")
    frozen = exam.ledger.golden.members("1.0.0")
    twin = [replace(row, policy_id="harm") for row in frozen if row.partition is Partition.SEALED]
    now = [*exam.ledger.golden.items(), *(replace(row, state=GoldState.STALE) for row in twin)]
    golden = type(exam.ledger.golden)
    monkeypatch.setattr(golden, "members", lambda *_: [*frozen, *twin])
    monkeypatch.setattr(golden, "items", lambda *_, **__: now)
    told = gate(exam, judged, door)
    assert (told["verdict"], told["needed"]) == (UNDERPOWERED, None)
    assert told["reasons"] == ["policy=harm: no label is left"]
    assert told["stale"] == len(twin)
    assert {one["name"] for one in told["slices"]} >= {"policy=fraud"}
