"""One record of another tool's export, as an ``ImportedItem``. Pure; raises InvalidInput saying what is wrong.

Label Studio: a task of its JSON export. Argilla: a record of ``records.to_json`` (2.x). Prodigy: a line of ``db-out``,
of the interfaces ``classification`` and ``choice``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from labeling.errors import InvalidInput
from labeling.importing.answers import (
    ImportedAnswer,
    ImportedItem,
    LabelMap,
    external_id,
    mapping,
    when,
    words,
)

Record = Mapping[str, object]
Read = Callable[[int, Record, LabelMap, "Fields"], ImportedItem]


class Fields:
    """Where a record keeps what an item needs: ``text`` and ``key`` name fields, ``more`` maps columns of ours to
    theirs."""

    def __init__(self, text: str = "text", key: str = "external_id", more: Mapping[str, str] | None = None) -> None:
        self.text, self.key, self.more = text, key, dict(more or {})

    def item(self, tool: str, values: Record, own_id: object = None) -> dict[str, object]:
        """The item's row; ``own_id``: the tool's own id of the record, used where the key's field is not there."""
        text = values.get(self.text)
        if not isinstance(text, str) or not text.strip():
            there = ", ".join(map(str, values)) or "none"
            raise InvalidInput(f"{self.text}: no text there (fields: {there}); name the field that holds it")
        key = external_id(tool, values.get(self.key, own_id), text)
        rest = {ours: values[theirs] for ours, theirs in self.more.items() if values.get(theirs) is not None}
        return {"external_id": key, "text": text, **rest}


def studio_task(row: int, task: Record, labels: LabelMap, fields: Fields) -> ImportedItem:
    """Cancelled annotations are skips and are left out."""
    item = fields.item("studio", mapping(task.get("data"), "data"))
    suggested = bool(task.get("predictions"))
    answers = []
    for each in _list(task.get("annotations"), "annotations"):
        annotation = mapping(each, "annotations")
        chosen = _choices(annotation.get("result"), labels.question)
        if annotation.get("was_cancelled") is True or not chosen:
            continue
        lead = annotation.get("lead_time")
        answers.append(
            ImportedAnswer(
                annotator=_studio_person(annotation.get("completed_by")),
                answer=labels.read(chosen),
                at=when(annotation.get("updated_at") or annotation.get("created_at")),
                lead_time_s=float(lead) if isinstance(lead, int | float) and lead >= 0 else None,
                assisted=suggested or annotation.get("parent_prediction") is not None,
                source_id=str(annotation.get("id") or ""),
            )
        )
    return ImportedItem(row, item, tuple(answers))


def argilla_record(row: int, record: Record, labels: LabelMap, fields: Fields) -> ImportedItem:
    """Responses of the question; those of a record that has suggestions are assisted."""
    values = {**mapping(record.get("metadata"), "metadata"), **mapping(record.get("fields"), "fields")}
    item = fields.item("argilla", values, record.get("id"))
    responses = _list(mapping(record.get("responses"), "responses").get(labels.question), "responses")
    suggested = labels.question in mapping(record.get("suggestions"), "suggestions")
    answers = []
    for each in responses:
        response = mapping(each, "responses")
        if response.get("status") in ("draft", "discarded"):
            continue
        person = str(response.get("user_id") or "")
        if not person:
            raise InvalidInput("responses: one names no user_id; nobody's answer is no vote")
        answer = labels.read(words(response.get("value"), "responses: value"))
        answers.append(ImportedAnswer(person, answer, assisted=suggested))
    return ImportedItem(row, item, tuple(answers))


def prodigy_line(row: int, line: Record, labels: LabelMap, fields: Fields) -> ImportedItem:
    """One person's answer: of ``choice`` the accepted options, of ``classification`` the label, or ``not <label>``
    where it was rejected. Ignored ones are left out. A line that shows a score was chosen by a model that the person
    may have seen, so it is assisted."""
    meta = mapping(line.get("meta"), "meta")
    item = fields.item("prodigy", {**meta, **line})
    decided = line.get("answer", "accept")
    if decided not in ("accept", "reject", "ignore"):
        raise InvalidInput(f"answer: {str(decided)[:40]!r} is none of accept, reject, ignore")
    chosen = _prodigy_labels(line, str(decided))
    person = line.get("_annotator_id") or line.get("_session_id")
    if chosen and not isinstance(person, str):
        raise InvalidInput("_annotator_id: missing; export with named sessions, for nobody's answer is no vote")
    answers = (
        ()
        if not chosen
        else (
            ImportedAnswer(
                annotator=str(person),
                answer=labels.read(chosen),
                at=when(line.get("_timestamp")),
                assisted="score" in meta or "score" in line,
                source_id=str(line.get("_task_hash") or ""),
            ),
        )
    )
    return ImportedItem(row, item, answers)


def _prodigy_labels(line: Record, decided: str) -> list[str]:
    if decided == "ignore":
        return []
    if "options" in line:
        accepted = words(line.get("accept") or [], "accept")
        return accepted if decided == "accept" else []
    label = line.get("label")
    if not isinstance(label, str):
        raise InvalidInput("label: missing; only the interfaces classification and choice are read")
    return [label if decided == "accept" else f"not {label}"]


def _choices(result: object, control: str) -> list[str]:
    """What was ticked in a control; of any choices where none is named."""
    found: list[str] = []
    for each in _list(result, "result"):
        entry = mapping(each, "result")
        if entry.get("type") != "choices" or (control and entry.get("from_name") != control):
            continue
        found += words(mapping(entry.get("value"), "value").get("choices") or [], "choices")
    return found


def _studio_person(value: object) -> str:
    if isinstance(value, Mapping):
        value = value.get("email") or value.get("id")
    if isinstance(value, int) and not isinstance(value, bool):
        return f"user-{value}"
    if not isinstance(value, str) or not value:
        raise InvalidInput("completed_by: missing; nobody's answer is no vote")
    return value


def _list(value: object, name: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise InvalidInput(f"{name}: expected a list, found {type(value).__name__}")
    return value


def joined(items: Iterable[ImportedItem]) -> list[ImportedItem]:
    """Records about one item (Prodigy has a line an answer) as one, answers in order. Raises InvalidInput when the same
    key comes with another text."""
    first: dict[str, ImportedItem] = {}
    answers: dict[str, list[ImportedAnswer]] = defaultdict(list)
    for item in items:
        key = str(item.fields["external_id"])
        if first.setdefault(key, item).fields["text"] != item.fields["text"]:
            raise InvalidInput(
                f"row {item.row}: {key!r} was another text in row {first[key].row}; give each text its own key"
            )
        answers[key] += item.answers
    return [ImportedItem(item.row, item.fields, tuple(answers[key])) for key, item in first.items()]


FORMATS: dict[str, Read] = {"label-studio": studio_task, "argilla": argilla_record, "prodigy": prodigy_line}
