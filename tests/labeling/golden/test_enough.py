from __future__ import annotations

import pytest

from labeling.errors import NothingToDo, TooLittleGold
from labeling.golden.enough import LEAST, shortfalls, too_little
from labeling.records import GoldenItem, Outcome, Partition
from tests.labeling.golden.made import golden_item


def rows(violating: int, allowed: int, partition: Partition = Partition.DEV) -> list[GoldenItem]:
    outcomes = [Outcome.VIOLATES] * violating + [Outcome.ALLOWED] * allowed
    return [
        golden_item(f"i{n}", policy_id="harm", outcome=outcome, partition=partition)
        for n, outcome in enumerate(outcomes)
    ]


@pytest.mark.parametrize(
    ("violating", "allowed", "why"),
    [
        (0, 0, "no label is left"),
        (6, LEAST - 7, f"{LEAST - 1} labels are left, {LEAST} are needed"),
        (LEAST, 0, f"all {LEAST} labels that are left are violating"),
        (0, 40, "all 40 labels that are left are allowed"),
    ],
)
def test_what_lacks_is_said(violating: int, allowed: int, why: str) -> None:
    assert shortfalls(rows(violating, allowed), ["harm"]) == {"harm": why}


def test_enough_of_both_kinds_lack_nothing_and_another_policy_is_another_question() -> None:
    assert shortfalls(rows(1, LEAST - 1), ["harm"]) == {}
    assert shortfalls(rows(1, LEAST - 1), ["harm", "fraud"]) == {"fraud": "no label is left"}
    assert shortfalls(rows(3, 3), ["harm"], least=6) == {}


def test_of_which_kind_sealed_answers_are_is_never_said() -> None:
    (said,) = shortfalls(rows(0, 40, Partition.SEALED), ["harm"]).values()
    assert said == "all 40 labels that are left are of one kind"
    assert shortfalls(rows(40, 0, Partition.SEALED), ["harm"]) == {"harm": said}


def test_the_error_names_policies_stale_labels_and_the_cure() -> None:
    error = too_little("1.2.0", Partition.DEV, {"harm": "no label is left", "fraud": "x"}, {"harm": 7}, "judge")
    assert isinstance(error, TooLittleGold)
    assert isinstance(error, NothingToDo)
    assert str(error) == (
        "golden version 1.2.0 cannot judge by its dev partition: harm: no label is left (7 are stale); fraud: x; label "
        "more (what is stale is asked again by goldfold policy relabel), publish, and name that version"
    )
    plain = too_little("1.2.0", Partition.DEV, {"fraud": "x"}, {"harm": 7}, "judge")
    assert "stale" not in str(plain)
