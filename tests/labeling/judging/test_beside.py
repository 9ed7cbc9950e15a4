from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from labeling.errors import Conflict, NothingToDo
from labeling.judging.beside import beside
from labeling.judging.contender import of_model
from labeling.judging.evaluate import judge
from labeling.quality.compare import mcnemar
from labeling.records import Outcome, Partition
from tests.labeling.school import fit
from tests.labeling.shop import Shop


def test_two_models_meet_on_the_items_that_both_judge(exam: Shop) -> None:
    fit(exam)
    model = exam.ledger.models.get("m1")
    first = of_model(exam.ledger, exam.lake, exam.policies, model)
    rows = [row for row in exam.ledger.golden.members("1.0.0") if row.partition is Partition.DEV]
    silent = rows[0].item_id  # of which the other says nothing

    def contrary(ids: Any) -> Any:
        return np.where(np.array([[name == silent] for name in ids]), np.nan, 1 - first.score(ids))

    second = replace(first, model_id="m2", score=contrary)
    told: Any = beside(exam.ledger.golden, exam.lake, first, second, "1.0.0")
    whole = told["slices"][0]
    assert told["items"] == whole["n"] == len(rows) - 1
    flagged = first.score([row.item_id for row in rows[1:]])[:, first.policies.index("fraud")] >= 0.5
    right = [bool(flag) == (row.outcome is Outcome.VIOLATES) for flag, row in zip(flagged, rows[1:], strict=True)]
    assert (whole["only_first"], whole["only_second"]) == (sum(right), len(right) - sum(right))
    assert whole["p"] >= mcnemar(sum(right), len(right) - sum(right))  # adjusted
    alone: Any = judge(exam.ledger.golden, exam.lake, first, "1.0.0")
    assert whole["first"].keys() == alone["slices"][0]["figures"].keys()
    assert whole["first"]["recall"]["licence"] == alone["slices"][0]["figures"]["recall"]["licence"]
    json.dumps(told, allow_nan=False)
    same: Any = beside(exam.ledger.golden, exam.lake, first, first, "1.0.0")
    assert {(one["only_first"], one["only_second"], one["p"]) for one in same["slices"]} == {(0, 0, 1.0)}
    assert same["slices"][0]["first"] == alone["slices"][0]["figures"]


def test_models_that_cannot_meet_are_told_why(exam: Shop) -> None:
    fit(exam)
    first = of_model(exam.ledger, exam.lake, exam.policies, exam.ledger.models.get("m1"))
    with pytest.raises(Conflict, match="compare models that read the same"):
        beside(exam.ledger.golden, exam.lake, first, replace(first, modality="image"), "1.0.0")
    with pytest.raises(NothingToDo, match="neither model has learnt"):
        beside(exam.ledger.golden, exam.lake, first, replace(first, fit=lambda _rows: []), "1.0.0")
