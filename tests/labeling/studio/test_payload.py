from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.records import Task, TaskKind, TaskState
from labeling.studio.payload import clean, difference, task_data

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TASK = Task("t-1", TaskKind.BLIND, "r-1", "i-1", "hate", "1.0.0", "some text", "00", 2, TaskState.QUEUED,
            None, None, None, "", NOW, NOW)  # fmt: skip


def test_a_blind_task_holds_content_and_opaque_id_only() -> None:
    assert task_data(TASK) == {"text": "some text", "task_id": "t-1"}


def test_a_leads_task_holds_the_answers_too() -> None:
    task = replace(TASK, kind=TaskKind.ADJUDICATION, prompt="A: violates")
    assert task_data(task) == {
        "text": "some text",
        "task_id": "t-1",
        "answers": "A: violates",
        "precedents": "None that is near.",
    }


@given(st.text(alphabet=st.characters()) | st.just("a\x00\ud800b"))
def test_what_is_sent_can_be_stored_anywhere(text: str) -> None:
    sent = clean(text)
    sent.encode()
    assert "\x00" not in sent
    assert len(sent) == len(text)
    assert clean(sent) == sent
    assert difference(replace(TASK, text=text), {"text": sent, "task_id": "t-1"}) == ""


@pytest.mark.parametrize("key", ["text", "task_id"])
def test_an_edit_is_named(key: str) -> None:
    assert difference(TASK, {**task_data(TASK), key: "other"}).startswith(f"data.{key} ")
    assert difference(TASK, {}) != ""
    assert difference(TASK, {**task_data(TASK), "note": "mine"}) == ""
