"""What a task holds in Label Studio: content and opaque id, for a lead the anonymised answers and how the nearest cases
were decided, and in an assisted project the suggestion. Nothing else.

The content of an image is a signed link that lives for a while (``labeling.studio.links``), never where it came from.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from labeling.assisted import Suggestion, suggested
from labeling.errors import InvalidInput
from labeling.records import Answer, Task, TaskKind
from labeling.studio.label_config import build_result
from labeling.studio.links import IMAGE, Links
from labeling.studio.wire import Json

NO_PRECEDENT = "None that is near."
NO_CAPTION = "(no text)"
EDITED = "was edited in Label Studio"  # how each reason of ``difference`` ends
SUGGESTED_BY = "goldfold"  # Label Studio shows suggestions of one model version a project: it must outlive the models
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # PostgreSQL refuses NUL, JSON refuses lone surrogates


def clean(text: str) -> str:
    """Text that every server can store: what it cannot becomes U+FFFD."""
    return UNSTORABLE.sub("\ufffd", text)


def task_data(task: Task, links: Links | None = None) -> dict[str, object]:
    """``data`` of the task, which every member of the server can read. An image's ``links`` are new each time. Raises
    InvalidInput for an image without ``links``."""
    return {**_lasting(task), **(_links(task, links).data(task) if task.modality == IMAGE else {})}


def _lasting(task: Task) -> dict[str, object]:
    """What of it stays the same as long as the task is there."""
    text = clean(task.text) or (NO_CAPTION if task.modality == IMAGE else "")
    data: dict[str, object] = {"text": text, "task_id": task.task_id}
    if task.kind.form is TaskKind.ADJUDICATION:
        data["answers"] = clean(task.prompt)
        data["precedents"] = clean(task.precedents or NO_PRECEDENT)
    return data


def _links(task: Task, links: Links | None) -> Links:
    if links is None:
        raise InvalidInput(
            f"media_link_secret is not set, so nobody can be shown the image of task {task.task_id}: set it to what it "
            "was, or to the output of: openssl rand -hex 32"
        )
    return links


def difference(task: Task, data: Mapping[str, object], links: Links | None = None) -> str:
    """Which field of a task's data is not what was sent, as a reason; "" when none is. A link of ours is what was sent,
    however old it is. Raises InvalidInput for an image without ``links``."""
    changed = [key for key, sent in _lasting(task).items() if data.get(key) != sent]
    if task.modality == IMAGE and not changed and (field := _links(task, links).edited(task, data)):
        changed = [field]
    return f"data.{changed[0]} is not what was sent: it {EDITED}" if changed else ""


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
