"""What a task holds in Label Studio: content and opaque id, for a lead the anonymised answers and how the nearest cases
were decided, and in an assisted project the suggestion. Nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping

from labeling.assisted import Suggestion, suggested
from labeling.records import Answer, Task, TaskKind
from labeling.studio.label_config import build_result
from labeling.studio.wire import Json

NO_PRECEDENT = "None that is near."
EDITED = "was edited in Label Studio"  # how each reason of ``difference`` ends
SUGGESTED_BY = "goldfold"  # Label Studio shows suggestions of one model version a project: it must outlive the models
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


def prediction(suggestion: Suggestion) -> Json:
    """A suggestion as Label Studio takes it: what it names is ticked when a person opens the task."""
    result = [
        {"id": f"suggested-{row['from_name']}", **row}
        for row in build_result(Answer(suggestion.outcome, suggestion.rule))
    ]
    return {"model_version": SUGGESTED_BY, "score": round(suggestion.score, 6), "result": result}


def task_predictions(task: Task) -> list[Json]:
    """What is suggested beside a task; nothing, but for an assisted one."""
    suggestion = suggested(task)
    return [] if suggestion is None else [prediction(suggestion)]
