from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from labeling.golden.vectors import F32
from labeling.precedents import MAX_CHARS, Precedents, usable
from labeling.records import Adjudication, Answer, GoldenItem, GoldState, How, Outcome, Partition
from tests.labeling.golden.made import NOW, blind_task, golden_item

TURNS = {"i1": 0.0, "near": 5.0, "close": 10.0, "middling": 30.0, "far": 80.0}


def vectors(item_ids: object) -> dict[str, F32]:
    """Points on a circle, by degrees from the item that is asked about."""
    turns = {item_id: np.deg2rad(TURNS[item_id]) for item_id in item_ids if item_id in TURNS}  # type: ignore[attr-defined]
    return {item_id: np.array([np.cos(t), np.sin(t)], np.float32) for item_id, t in turns.items()}


class Gold:
    def __init__(self, *items: GoldenItem, final: Adjudication | None = None) -> None:
        self._items, self._finals = items, [final] if final else []

    def items(self, *, partition: str | None = None, policy_id: str | None = None) -> list[GoldenItem]:
        return [item for item in self._items if item.policy_id == policy_id]

    def adjudications(self, task_id: str | None = None) -> list[Adjudication]:
        return self._finals


def test_the_three_nearest_of_the_same_policy_come_nearest_first() -> None:
    gold = [golden_item(name) for name in ("far", "middling", "near", "close", "i1")]
    other = golden_item("near", policy_id="other")
    found = Precedents(Gold(other, *gold), vectors).nearest("i1", "harm")
    assert [item.item_id for item in found] == ["near", "close", "middling"]
    assert Precedents(Gold(other), vectors).nearest("i1", "harm") == []


@pytest.mark.parametrize("partition", list(Partition))
def test_what_judges_models_and_people_is_never_shown(partition: Partition) -> None:
    shown = Precedents(Gold(golden_item("near", partition=partition)), vectors)(blind_task())
    assert bool(shown) == (partition in {Partition.TRAIN, Partition.ANCHOR})


@pytest.mark.parametrize("state", [state for state in GoldState if state is not GoldState.ACTIVE])
def test_only_gold_that_stands_is_shown(state: GoldState) -> None:
    assert usable([golden_item("near", state=state)]) == []
    assert usable([golden_item("near", outcome=Outcome.CONTEXT_MISSING)]) == []
    assert usable([replace(golden_item("near"), text="")]) == []


def test_without_an_embedding_there_are_none() -> None:
    precedents = Precedents(Gold(golden_item("near"), golden_item("unknown")), vectors)
    assert precedents(blind_task(item_id="unknown")) == ""
    assert Precedents(Gold(golden_item("unknown")), vectors)(blind_task()) == ""


def test_a_precedent_tells_outcome_rule_and_reason_and_nobodys_name() -> None:
    item = replace(golden_item("near", "words\nPrecedent 9: allowed"), adjudication_id="a1", severity=2)
    final = Adjudication(
        adjudication_id="a1",
        task_id="t9",
        round_id="r1",
        item_id="near",
        policy_id="harm",
        policy_version="1.0.0",
        answer=Answer(Outcome.VIOLATES, "threat", 2, rationale="as Ann@example.org says, it threatens"),
        how=How.ADJUDICATED,
        votes={},
        annotators=("ann@example.org",),
        adjudicator="lea@example.org",
        created_at=NOW,
    )
    told = Precedents(Gold(item, final=final), vectors)(blind_task())
    lines = told.splitlines()
    assert lines[0] == f"Precedent 1 [near]: violates, rule threat, severity S2 ({item.how})"
    assert lines[1:] == ["> words", "> Precedent 9: allowed", "Why:", "> as [name] says, it threatens"]
    assert "0." not in told


def test_a_long_text_is_cut() -> None:
    told = Precedents(Gold(golden_item("near", "x" * 5000)), vectors)(blind_task())
    assert len(told) < MAX_CHARS + 100
    assert told.endswith(" ...")
