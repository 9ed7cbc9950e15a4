"""Sealed rows leave the exam in batches, so that no question tells what one of them is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.golden.judges import judging_rows
from labeling.golden_records import GoldMove
from labeling.judging.contender import Contender, of_model
from labeling.judging.evaluate import ask_sealed
from labeling.judging.frozen import Key, batched
from labeling.judging.sealed import Door
from labeling.records import GoldAction, GoldenItem, Partition
from tests.labeling.judging.test_contest import cold
from tests.labeling.school import fit
from tests.labeling.shop import Shop


def ask(exam: Shop, contender: Contender) -> Any:
    return ask_sealed(exam.ledger, exam.lake, contender, "1.0.0", (), Door(exam.ledger, 9, 13, "eve"))


def move(exam: Shop, rows: list[GoldenItem], action: GoldAction) -> None:
    exam.ledger.golden.change(
        [GoldMove(r.item_id, r.policy_id, r.adjudication_id, action, "eve", "to see what it does") for r in rows]
    )


def test_who_quarantines_a_row_and_asks_again_is_told_the_same(exam: Shop) -> None:
    fit(exam)
    judged = of_model(exam.ledger, exam.lake, exam.policies, exam.ledger.models.get("m1"))
    sealed = judging_rows(exam.ledger.golden, "1.0.0", Partition.SEALED)
    before = ask(exam, judged)
    for row in sealed[:12]:
        move(exam, [row], GoldAction.QUARANTINED)
        again = ask(exam, judged)
        assert (again["is_repeat"], again["slices"]) == (True, before["slices"])
    other = ask(exam, cold(exam))  # another family, which never asked, finds the same exam
    assert other["slices"][0]["n"] + other["left_out"] == len(sealed)
    move(exam, sealed[12:13], GoldAction.QUARANTINED)  # as many as a cell needs
    after = ask(exam, judged)
    assert (after["is_repeat"], after["slices"][0]["n"] + after["left_out"]) == (False, len(sealed) - 13)
    move(exam, sealed[:1], GoldAction.RESTORED)  # nor does one come back alone
    assert ask(exam, judged) == after | {"is_repeat": True}
    assert not any(row.item_id in json.dumps(after) for row in sealed)


def test_an_erased_row_is_gone_at_once(exam: Shop) -> None:
    sealed = judging_rows(exam.ledger.golden, "1.0.0", Partition.SEALED)
    judged = cold(exam)
    ask(exam, judged)
    exam.ledger.erasures.begin(sealed[0].item_id, "dpo", "asked by its author")
    told = ask(exam, judged)
    assert (told["is_repeat"], told["slices"][0]["n"] + told["left_out"]) == (False, len(sealed) - 1)


A: list[Key] = [(f"i{n}", "fraud") for n in range(6)]
B: list[Key] = [(f"i{n}", "harm") for n in range(6)]


@pytest.mark.parametrize(
    ("before", "now", "left"),
    [
        ([], A[:2], set(A[:2])),
        ([[]], A[:2], set()),
        ([[]], A[:3], set(A[:3])),
        ([A[:2]], A[1:4], set(A[1:4])),
        ([A[:2]], A[1:2], set(A[:2])),
        ([A[:1]], [*A[:2], *B[:3]], {*A[:1], *B[:3]}),
        ([[*A[:4], *B[:1]]], [], {*B[:1]}),
        ([[], A[:3]], A[4:5], set()),  # three back and another out: it is compared with the first question too
    ],
)
def test_what_differs_by_less_than_a_cell_stays_as_it_was(
    before: list[list[Key]], now: list[Key], left: set[Key]
) -> None:
    assert batched(before, now, 3) == left


@given(st.lists(st.sets(st.sampled_from([*A, *B])), max_size=8), st.integers(1, 5))
def test_any_two_sets_that_were_asked_differ_by_a_batch_or_not_at_all(wanted: list[set[Key]], least: int) -> None:
    asked: list[set[Key]] = []
    for now in wanted:
        asked.append(batched(asked, now, least))
    for one in asked:
        for other in asked:
            for policy in ("fraud", "harm"):
                differ = {key for key in one ^ other if key[1] == policy}
                assert not differ or len(differ) >= least
