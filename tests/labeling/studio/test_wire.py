from __future__ import annotations

from datetime import UTC, datetime

import pytest

from labeling.errors import StudioRefused
from labeling.studio.wire import Hook, read_project, read_task

ANNOTATION = {"id": 3, "completed_by": 1, "updated_by": {"id": 2}, "was_cancelled": True, "result": [],
              "lead_time": None, "updated_at": "2026-11-22T21:02:50.360317Z"}  # fmt: skip
TASK = {"id": 1, "project": 4, "data": {"task_id": "t"}, "overlap": 2, "updated_at": "2026-11-22T22:02:50+01:00",
        "annotations": [ANNOTATION], "drafts": [{}]}  # fmt: skip


def test_a_task_of_the_list() -> None:
    task = read_task(TASK)
    assert (task.task_id, task.project_id, task.drafts) == ("t", 4, 1)
    assert task.updated_at == datetime(2026, 11, 22, 21, 2, 50, tzinfo=UTC)
    [annotation] = task.annotations
    assert (annotation.completed_by, annotation.updated_by, annotation.skipped) == (1, 2, True)
    assert annotation.lead_time_s is None


def test_a_task_of_somebody_else_has_no_id() -> None:
    assert read_task({**TASK, "data": {"task_id": 5}}).task_id == ""
    assert read_task({**TASK, "data": None}).task_id == ""


@pytest.mark.parametrize("raw", [None, [], {}, {"id": "1"}, {**TASK, "updated_at": "yesterday"}])
def test_another_shape_is_refused(raw: object) -> None:
    with pytest.raises(StudioRefused, match="Label Studio sent"):
        read_task(raw)


def test_a_project_of_the_short_list() -> None:
    assert read_project({"id": 1, "title": "t", "description": None}).description == ""


def test_a_hooks_secret_is_not_printed() -> None:
    assert "hush" not in repr(Hook(1, "http://x.example", frozenset(), {"X-Goldfold-Secret": "hush"}, True))
