"""Records survive the way to a row and back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from labeling.records import Adjudication, EventKind
from labeling.store.rows import chunks, dump, dump_json, insert_row, load, name_some, replace_row
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

NOTES = sa.Table("notes", sa.MetaData(), sa.Column("note_id", sa.Integer, primary_key=True), sa.Column("text", sa.Text))


@pytest.fixture
def connection() -> Iterator[sa.Connection]:
    engine = sa.create_engine("sqlite://")
    with engine.begin() as opened:
        NOTES.create(opened)
        yield opened
    engine.dispose()


@pytest.mark.parametrize("record", EVERY, ids=lambda record: type(record).__name__)
def test_a_record_comes_back_equal(record: Any) -> None:
    assert load(type(record), dump(record)) == record
    assert load(type(record), dump_json(record)) == record
    assert load(type(record), dump(record) | {"another_column": 1}) == record


@pytest.mark.parametrize("write", [insert_row, replace_row])
def test_what_has_no_column_is_refused_and_not_left_out(connection: sa.Connection, write: Any) -> None:
    write(connection, NOTES, {"note_id": 1, "text": "a"})
    with pytest.raises(ValueError, match="the table notes has no column author, when"):
        write(connection, NOTES, {"note_id": 2, "text": "b", "when": 1, "author": "c"})
    assert connection.execute(sa.select(NOTES)).all() == [(1, "a")]


def test_a_row_is_overwritten_whole(connection: sa.Connection) -> None:
    for note_id, text in ((1, "a"), (2, "b"), (1, "c")):
        replace_row(connection, NOTES, {"note_id": note_id, "text": text})
    assert connection.execute(sa.select(NOTES).order_by(NOTES.c.note_id)).all() == [(1, "c"), (2, "b")]


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
