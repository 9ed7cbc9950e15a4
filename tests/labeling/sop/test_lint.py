"""Each flaw that lint knows, planted in a tree that has none."""

from __future__ import annotations

from typing import Any

import pytest

from labeling.records import GoldenItem, GoldState, Partition
from labeling.sop.lint import Flaw, Level, Remark, lint
from labeling.sop.tree import Sop
from tests.labeling.golden.made import golden_item
from tests.labeling.sop.made import TREE, leaves, policy, sop, steps

GOLD = [golden_item("i1"), golden_item("i2", partition=Partition.DEV)]


def found(tree: Sop, gold: list[GoldenItem] = GOLD) -> list[tuple[Flaw, str]]:
    return [(one.flaw, one.where) for one in lint(tree, policy(), gold)]


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    assert found(sop()) == []


def chain(n: int) -> dict[str, Any]:
    """n questions in a row."""
    every = [
        {
            "id": f"q{i}",
            "question": "?",
            "examples": {"positive": ["i1"], "near_miss": ["i2"]},
            "answers": [
                {"says": "yes", "go": f"q{i + 1}" if i + 1 < n else "is_slur"},
                {"says": "unclear", "go": "ask"},
                {"says": "no", "go": "allowed"},
                {"says": "threat", "go": "is_threat"},
            ],
        }
        for i in range(n)
    ]
    return {"start": "q0", "steps": every, "leaves": leaves(is_threat={"exceptions": []})}


@pytest.mark.parametrize(
    ("changes", "flaw", "where"),
    [
        ({"policy_version": "0.9.0"}, Flaw.OTHER_POLICY, "harm"),
        (
            {"leaves": [*TREE["leaves"], {"id": "never", "outcome": "allowed", "action": "keep"}]},
            Flaw.UNREACHABLE,
            "never",
        ),
        ({"leaves": leaves(is_slur={"exceptions": [{"text": "x"}]})}, Flaw.LATE_EXCEPTION, "is_slur"),
        (
            {"leaves": leaves(is_threat={"exceptions": [{"text": "x", "asked_at": "slur"}]})},
            Flaw.LATE_EXCEPTION,
            "is_threat",
        ),
        (chain(9), Flaw.TOO_DEEP, "is_slur"),
        ({"steps": steps(slur={"examples": {"positive": ["i1"]}})}, Flaw.NO_EXAMPLES, "slur"),
        ({"steps": steps(slur={"examples": {"positive": ["i1"], "near_miss": ["i9"]}})}, Flaw.BAD_EXAMPLE, "slur"),
        (
            {"steps": steps(slur={"answers": [{"says": "yes", "go": "is_slur"}, {"says": "no", "go": "allowed"}]})},
            Flaw.NO_UNCLEAR,
            "slur",
        ),
    ],
)
def test_a_flaw_is_found_where_it_is(changes: dict[str, Any], flaw: Flaw, where: str) -> None:
    told = found(sop(**changes))
    assert (flaw, where) in told
    assert {name for name, _ in told} == {flaw}


def test_eight_questions_are_not_too_many() -> None:
    assert found(sop(**chain(8))) == []


def test_rules_and_leaves_have_to_meet() -> None:
    told = found(sop(leaves=leaves(is_slur={"rule": "insult"})))
    assert told == [(Flaw.RULE_WITHOUT_LEAF, "harm"), (Flaw.UNKNOWN_RULE, "is_slur")]


def test_a_question_whose_answers_agree_decides_nothing() -> None:
    answers = [{"says": "yes", "go": "ask"}, {"says": "unclear", "go": "ask"}]
    told = found(sop(steps=steps(slur={"answers": answers})))
    assert (Flaw.IDLE_QUESTION, "slur") in told


@pytest.mark.parametrize(
    "gold",
    [golden_item("i2", partition=Partition.SEALED), golden_item("i2", state=GoldState.STALE)],
    ids=["sealed", "stale"],
)
def test_sealed_and_stale_gold_is_no_example(gold: GoldenItem) -> None:
    assert {flaw for flaw, _ in found(sop(), [GOLD[0], gold])} == {Flaw.BAD_EXAMPLE}


def test_errors_come_first_and_say_so() -> None:
    tree = sop(steps=steps(target={"examples": {}}), policy_version="2.0.0")
    told = lint(tree, policy(), GOLD)
    assert [one.level for one in told] == [Level.ERROR, Level.WARNING, Level.WARNING]
    assert Remark.as_dict(told[0])["level"] == "error"
