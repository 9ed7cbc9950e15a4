"""Records survive the way to a row and back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.records import Adjudication, EventKind
from labeling.store.rows import chunks, dump, dump_json, load, name_some
from tests.contracts import records

EVERY = [
    records.round_(notes=("a", "b")),
    records.pick(1),
    records.pick(1, pi=None),
    records.task(1, parent_task_id="task-000002", project_id=3),
    records.event(1),
    records.event(1, EventKind.DELETED),
    records.annotation(records.event(1)),
    records.adjudication(),
    records.golden(rule=None, pi=None),
    records.version(parent="0.0.1"),
    records.model(metrics={"auprc": {"hate": 0.5}}),
    records.project(watermark=records.at(9)),
    records.key(revoked_at=records.at(9)),
]


@pytest.mark.parametrize("record", EVERY, ids=lambda record: type(record).__name__)
def test_a_record_comes_back_equal(record: Any) -> None:
    assert load(type(record), dump(record)) == record
    assert load(type(record), dump_json(record)) == record
    assert load(type(record), dump(record) | {"another_column": 1}) == record


def test_rows_hold_plain_values() -> None:
    row = dump(records.adjudication())
    assert type(row["how"]) is str
    assert row["answer"]["outcome"] == "violates"
    assert type(row["answer"]["outcome"]) is str
    assert row["annotators"] == ["a@example.org", "b@example.org"]


def test_a_row_that_is_no_record_is_an_error() -> None:
    with pytest.raises(ValueError, match="how"):
        load(Adjudication, dump(records.adjudication()) | {"how": "by dice"})


@given(values=st.lists(st.integers(), max_size=40), size=st.integers(1, 9))
def test_chunks_are_the_whole_in_order(values: list[int], size: int) -> None:
    parts = list(chunks(values, size))
    assert [value for part in parts for value in part] == values
    assert all(len(part) == size for part in parts[:-1])


def test_a_message_names_the_first_few() -> None:
    assert name_some(["a", "b"]) == "'a', 'b'"
    assert name_some(list("abcdefg")) == "'a', 'b', 'c', 'd', 'e' and 2 more"
