"""What a task holds in Label Studio: content and opaque id, and for a lead the anonymised answers
and how the nearest cases were decided. Nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping

from labeling.records import Task, TaskKind

NO_PRECEDENT = "None that is near."
EDITED = "was edited in Label Studio"  # how each reason of ``difference`` ends
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # PostgreSQL refuses NUL, JSON refuses lone surrogates


def clean(text: str) -> str:
    """Text that every server can store: what it cannot becomes U+FFFD."""
    return UNSTORABLE.sub("\ufffd", text)


def task_data(task: Task) -> dict[str, object]:
    """``data`` of the task, which every member of the server can read."""
    data: dict[str, object] = {"text": clean(task.text), "task_id": task.task_id}
    if task.kind.form is TaskKind.ADJUDICATION:
        data["answers"] = clean(task.prompt)
        data["precedents"] = clean(task.precedents or NO_PRECEDENT)
    return data


def difference(task: Task, data: Mapping[str, object]) -> str:
    """Which field of a task's data is not what was sent, as a reason; "" when none is."""
    for key, sent in task_data(task).items():
        if data.get(key) != sent:
            return f"data.{key} is not what was sent: it {EDITED}"
    return ""
