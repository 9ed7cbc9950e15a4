from __future__ import annotations

from typing import Any

import pytest

from labeling.calibration import calibrate
from labeling.errors import InvalidInput, NothingToDo
from labeling.judging.contender import Contender, of_model
from labeling.judging.operating import operating_thresholds, own_thresholds, under
from labeling.judging.thresholds import MISS_RATE, PRECISION, Wanted, clear_threshold, set_threshold
from labeling.records import Outcome, Partition
from tests.labeling.school import fit
from tests.labeling.shop import Shop


def contender(shop: Shop) -> Contender:
    return of_model(shop.ledger, shop.lake, shop.policies, shop.ledger.models.get("m1"))


def draw(shop: Shop, wanted: Wanted, policy: str = "fraud", **more: Any) -> Any:
    about = {"golden_version": "1.0.0", "actor": "eve"} | more
    return set_threshold(shop.ledger, contender(shop), policy, wanted, **about)


def test_a_threshold_is_set_with_its_bound_and_operates_from_then_on(exam: Shop) -> None:
    fit(exam)
    tried = draw(exam, Wanted(MISS_RATE, 0.3), dry_run=True)
    assert operating_thresholds(exam.ledger.models.get("m1"), exam.policies)["fraud"] == 0.5
    told = draw(exam, Wanted(MISS_RATE, 0.3))
    assert told == tried
    rows = [r for r in exam.ledger.golden.members("1.0.0") if r.partition is Partition.CALIBRATION]
    assert told["n"] == sum(row.outcome is Outcome.VIOLATES for row in rows) > 9
    assert 0 < told["bound"] <= 0.3
    assert (told["golden_version"], told["policy_version"], told["before"]) == ("1.0.0", "1.0.0", 0.5)
    model = exam.ledger.models.get("m1")
    assert own_thresholds(model) == {"fraud": told}
    assert under(model, exam.policies)["fraud"].threshold == told["threshold"] != 0.5
    assert under(model, exam.policies)["harm"].threshold == 0.5
    assert under(None, exam.policies) == exam.policies
    assert contender(exam).thresholds["fraud"] == told["threshold"]
    newest = exam.ledger.audit.latest()[0]
    assert (newest["actor"], newest["action"]) == ("eve", "model.threshold")


def test_another_calibration_makes_the_policys_own_threshold_hold_again(exam: Shop) -> None:
    fit(exam)
    draw(exam, Wanted(MISS_RATE, 0.3))
    calibrate(exam.ledger, exam.lake, exam.policies, "m1", method="platt", actor="eve")
    assert operating_thresholds(exam.ledger.models.get("m1"), exam.policies)["fraud"] == 0.5
    told = draw(exam, Wanted(PRECISION, 0.6))
    assert told["calibration_version"] is not None
    assert contender(exam).thresholds["fraud"] == told["threshold"]


def test_a_threshold_is_taken_back(exam: Shop) -> None:
    fit(exam)
    draw(exam, Wanted(MISS_RATE, 0.3))
    clear_threshold(exam.ledger, "m1", "fraud", "eve", dry_run=True)
    assert operating_thresholds(exam.ledger.models.get("m1"), exam.policies)["fraud"] != 0.5
    clear_threshold(exam.ledger, "m1", "fraud", "eve")
    assert operating_thresholds(exam.ledger.models.get("m1"), exam.policies)["fraud"] == 0.5
    with pytest.raises(NothingToDo, match="no threshold of its own"):
        clear_threshold(exam.ledger, "m1", "fraud", "eve")


def test_what_cannot_be_bounded_is_refused_with_what_would_do(exam: Shop) -> None:
    fit(exam)
    with pytest.raises(NothingToDo, match=r"a miss rate of 0\.05 takes 59 violating labels or more"):
        draw(exam, Wanted(MISS_RATE, 0.05))
    with pytest.raises(NothingToDo, match=r"no threshold keeps a precision of 0\.99"):
        draw(exam, Wanted(PRECISION, 0.99))
    with pytest.raises(NothingToDo, match="no item for 'harm'"):
        draw(exam, Wanted(MISS_RATE, 0.3), "harm")
    with pytest.raises(InvalidInput, match=r"'spam' is not judged by 'm1' \(it judges: fraud, harm\)"):
        draw(exam, Wanted(MISS_RATE, 0.3), "spam")
    with pytest.raises(InvalidInput, match=r"1\.5 is not between"):
        draw(exam, Wanted(MISS_RATE, 1.5))
