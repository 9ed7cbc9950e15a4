"""Answers read from tables and from what Label Studio exports."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from labeling.errors import InvalidInput
from labeling.records import Outcome, Partition
from labeling.sop.replay import Walk
from labeling.sop.walks import read_walks, trial_tasks
from tests.labeling.golden.made import golden_item
from tests.labeling.sop.made import sop
from tests.labeling.sop.test_form import sent

HEAD = "item_id,person,step,answer\n"


def test_a_table_is_a_row_for_each_answer(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(HEAD + "i1,ann,target,yes\ni1,ann,threat,no\ni1,bob,target,no\n")
    assert read_walks(sop(), path) == [
        Walk("i1", "ann", {"target": "yes", "threat": "no"}),
        Walk("i1", "bob", {"target": "no"}),
    ]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("i1,ann,targte,yes\n", "row 2: step: harm has no step 'targte'"),
        ("i1,ann,target,perhaps\n", "row 2: answer: step target: 'perhaps'"),
        ("i1,,target,yes\n", "row 2: person: missing"),
        ("i1,ann,target,yes\ni1,ann,target,no\n", "row 3: ann answered step target of i1 twice"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, rows: str, told: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(HEAD + rows)
    with pytest.raises(InvalidInput, match=told):
        read_walks(sop(), path)


def test_an_unknown_column_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"item": "i1", "person": "ann", "step": "target", "answer": "yes"}\n')
    with pytest.raises(InvalidInput, match="row 1: item: unknown column"):
        read_walks(sop(), path)


def test_an_export_of_label_studio_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    annotations = [
        {"completed_by": 3, "result": sent({"c1_target": "no"})},
        {"completed_by": {"id": 4, "email": "x@example.com"}, "result": sent({"c1_target": "yes", "c2_threat": "yes"})},
        {"completed_by": 5, "was_cancelled": True, "result": []},
    ]
    path.write_text(json.dumps([{"id": 1, "data": {"item_id": "i1", "text": "x"}, "annotations": annotations}]))
    assert read_walks(sop(), path) == [
        Walk("i1", "3", {"target": "no"}),
        Walk("i1", "4", {"target": "yes", "threat": "yes"}),
    ]


@pytest.mark.parametrize(
    ("told", "content"),
    [
        ("is no JSON", "{"),
        ("expected a list", "{}"),
        ("task 1: has no data.item_id", '[{"data": {"text": "x"}, "annotations": []}]'),
        ("holds no answers", "[]"),
        ("task 1: result", '[{"data": {"item_id": "i"}, "annotations": [{"result": 3}]}]'),
    ],
)
def test_what_is_no_export_is_refused(tmp_path: Path, told: str, content: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(InvalidInput, match=told):
        read_walks(sop(), path)


def test_tasks_hold_some_gold_of_each_verdict_and_no_answer() -> None:
    gold = [golden_item(f"y{i}") for i in range(5)]
    gold += [golden_item(f"n{i}", outcome=Outcome.ALLOWED, rule=None) for i in range(5)]
    gold += [golden_item("s", partition=Partition.SEALED)]
    tasks = trial_tasks(gold, 3)
    ids = [str(task["data"]["item_id"]) for task in tasks]  # type: ignore[index]
    assert sorted(name[0] for name in ids) == ["n"] * 3 + ["y"] * 3
    assert ids != sorted(ids)
    assert all(set(task["data"]) == {"item_id", "text"} for task in tasks)  # type: ignore[call-overload]
    assert trial_tasks(list(reversed(gold)), 3) == tasks
