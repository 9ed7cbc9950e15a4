from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.errors import InvalidInput
from labeling.importing.answers import NO_TIME, LabelMap, label_map, when
from labeling.importing.formats import FORMATS, Fields, joined
from labeling.importing.read import read_export
from labeling.records import Answer, Outcome
from tests.labeling.shop import policy

POLICY = policy("fraud", "cheat money")
LABELS = label_map(POLICY, "verdict", ["bad=violates:other_rule:S3", "worse=violates:general:S4", "ok=allowed"])
BAD = Answer(Outcome.VIOLATES, "other_rule", 3)


def studio(result: list[str] | None = None, **changes: Any) -> dict[str, Any]:
    chosen = ["bad"] if result is None else result
    entries = [{"from_name": "verdict", "to_name": "text", "type": "choices", "value": {"choices": chosen}}]
    annotation = {"id": 5, "completed_by": 3, "result": entries, "lead_time": 4.5, "updated_at": "2026-01-02T03:04:05Z"}
    return {"id": 1, "data": {"text": "words", "external_id": "a"}, "annotations": [annotation | changes]}


def argilla(**changes: Any) -> dict[str, Any]:
    responses = {"verdict": [{"value": "bad", "user_id": "u1"}, {"value": "ok", "user_id": "u2"}]}
    return {"id": "rec-1", "fields": {"text": "words"}, "responses": responses, "suggestions": {}} | changes


def prodigy(**changes: Any) -> dict[str, Any]:
    line = {"text": "words", "label": "bad", "answer": "accept", "_annotator_id": "db-ann", "_timestamp": 1_700_000_000}
    return line | changes


def read(tool: str, record: Mapping[str, object], labels: LabelMap = LABELS, fields: Fields | None = None) -> Any:
    return FORMATS[tool](1, record, labels, fields or Fields())


def test_a_task_of_label_studio() -> None:
    item = read("label-studio", studio())
    assert item.fields == {"external_id": "a", "text": "words"}
    answer = item.answers[0]
    assert (answer.annotator, answer.answer, answer.lead_time_s, answer.assisted) == ("user-3", BAD, 4.5, False)
    assert answer.at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert read("label-studio", studio(was_cancelled=True)).answers == ()
    assert read("label-studio", studio(completed_by={"id": 3, "email": "a@b.c"})).answers[0].annotator == "a@b.c"
    other = LabelMap("another", LABELS.answers)
    assert read("label-studio", studio(), other).answers == ()


def test_an_answer_beside_a_suggestion_is_assisted() -> None:
    assert read("label-studio", studio() | {"predictions": [{"score": 0.4}]}).answers[0].assisted
    assert read("label-studio", studio(parent_prediction=7)).answers[0].assisted
    assert all(a.assisted for a in read("argilla", argilla(suggestions={"verdict": {"value": "bad"}})).answers)
    assert not any(a.assisted for a in read("argilla", argilla(suggestions={"other": {"value": "bad"}})).answers)
    assert read("prodigy", prodigy(meta={"score": 0.7})).answers[0].assisted
    assert not read("prodigy", prodigy()).answers[0].assisted


def test_a_record_of_argilla() -> None:
    item = read("argilla", argilla())
    assert item.fields["external_id"] == "rec-1"
    assert [(a.annotator, a.answer, a.at) for a in item.answers] == [
        ("u1", BAD, NO_TIME),
        ("u2", Answer(Outcome.ALLOWED), NO_TIME),
    ]
    drafts = {"verdict": [{"value": "bad", "user_id": "u1", "status": "draft"}]}
    assert read("argilla", argilla(responses=drafts)).answers == ()
    several = {"verdict": [{"value": ["bad", "worse"], "user_id": "u1"}]}
    assert read("argilla", argilla(responses=several)).answers[0].answer == Answer(Outcome.VIOLATES, "general", 4)
    mapped = read("argilla", argilla(metadata={"lang": "pt"}), fields=Fields(more={"language": "lang"}))
    assert mapped.fields["language"] == "pt"


def test_a_line_of_prodigy() -> None:
    answer = read("prodigy", prodigy()).answers[0]
    assert (answer.annotator, answer.answer, answer.at.year) == ("db-ann", BAD, 2023)
    labels = label_map(POLICY, "", ["bad=violates", "not bad=allowed"])
    assert read("prodigy", prodigy(answer="reject"), labels).answers[0].answer == Answer(Outcome.ALLOWED)
    assert read("prodigy", prodigy(answer="ignore")).answers == ()
    choice = prodigy(options=[{"id": "bad"}, {"id": "ok"}], accept=["ok"])
    assert read("prodigy", choice).answers[0].answer == Answer(Outcome.ALLOWED)
    assert read("prodigy", choice | {"accept": []}).answers == ()


def test_lines_about_one_text_are_one_item() -> None:
    lines = [prodigy(), prodigy(_annotator_id="db-bob"), prodigy(text="others")]
    items = joined(read("prodigy", line) for line in lines)
    assert [len(item.answers) for item in items] == [2, 1]
    assert items[0].fields["external_id"] != items[1].fields["external_id"]
    twice = [
        read("label-studio", studio()),
        read("label-studio", studio() | {"data": {"text": "x", "external_id": "a"}}),
    ]
    with pytest.raises(InvalidInput, match="'a' was another text in row 1"):
        joined(twice)


@pytest.mark.parametrize(
    ("tool", "record", "says"),
    [
        ("label-studio", {"data": {"body": "words"}}, "text: no text there (fields: body)"),
        ("label-studio", {"data": []}, "data: expected an object, found list"),
        ("label-studio", studio(["bad", "ok"]), "labels bad, ok contradict each other"),
        ("label-studio", studio(["awful"]), "label 'awful' has no meaning yet"),
        ("label-studio", studio(completed_by=None), "completed_by: missing"),
        ("label-studio", studio(updated_at="yesterday"), "'yesterday' is no time"),
        ("label-studio", studio() | {"annotations": {}}, "annotations: expected a list, found dict"),
        ("argilla", argilla(responses={"verdict": [{"value": "bad"}]}), "one names no user_id"),
        ("argilla", argilla(responses={"verdict": [{"value": {"a": 1}, "user_id": "u"}]}), "expected a label"),
        ("prodigy", prodigy(answer="maybe"), "'maybe' is none of accept, reject, ignore"),
        ("prodigy", prodigy(_annotator_id=None), "_annotator_id: missing"),
        ("prodigy", prodigy(label=None), "only the interfaces classification and choice are read"),
        ("prodigy", prodigy(answer="reject"), "label 'not bad' has no meaning yet"),
    ],
)
def test_what_cannot_be_read_says_why(tool: str, record: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(tool, record)
    assert says in str(caught.value)


def test_labels_are_given_a_meaning() -> None:
    assert label_map(POLICY, "", ["a=b=violates"]).answers == {"a=b": Answer(Outcome.VIOLATES, "general", 2)}
    for pairs, says in [
        ([], "say what the labels mean"),
        (["bad"], "write label=meaning"),
        (["bad=violates", "bad=allowed"], "each label once"),
        (["bad=awful"], "allowed, context_missing or violates"),
        (["ok=allowed:general"], "allowed, context_missing or violates"),
        (["bad=violates:gone"], "fraud has no rule 'gone' (known: general, other_rule)"),
        (["bad=violates:general:S5"], "'S5' is no severity"),
    ]:
        with pytest.raises(InvalidInput) as caught:
            label_map(POLICY, "", pairs)
        assert says in str(caught.value)


@pytest.mark.parametrize("name", ["export.json", "export.json.gz", "export.jsonl", "export.jsonl.gz"])
def test_files_are_read_whole(tmp_path: Path, name: str) -> None:
    records = [studio() | {"data": {"text": f"words {n}", "external_id": str(n)}} for n in range(3)]
    text = json.dumps(records) if ".json." in f"{name}." else "\n".join(map(json.dumps, records))
    body = text.encode()
    (tmp_path / name).write_bytes(gzip.compress(body) if name.endswith(".gz") else body)
    items = read_export(tmp_path / name, "label-studio", LABELS, Fields())
    assert [item.fields["external_id"] for item in items] == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("name", "body", "says"),
    [
        ("a.json", "{}", "expected an array of records, found dict"),
        ("a.json", "[", "is no JSON"),
        ("a.json", "[1]", "row 1: expected an object, found int"),
        ("a.json", "[]", "holds nothing to import"),
        ("a.jsonl", '{"text": 1}\nnot json', "row 2"),
        ("a.csv", "text\n", "the name must end in .json"),
        ("a.json.gz", "[]", "cannot be read: Not a gzipped file"),
    ],
)
def test_a_bad_file_is_refused_with_its_rows(tmp_path: Path, name: str, body: str, says: str) -> None:
    (tmp_path / name).write_text(body)
    with pytest.raises(InvalidInput) as caught:
        read_export(tmp_path / name, "prodigy", LABELS, Fields())
    assert says in str(caught.value)
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_export(tmp_path / "gone.json", "prodigy", LABELS, Fields())
    with pytest.raises(InvalidInput, match="from: 'excel' is unknown"):
        read_export(tmp_path / name, "excel", LABELS, Fields())


@given(st.one_of(st.none(), st.text(max_size=40), st.integers(), st.floats(), st.booleans()))
def test_any_value_is_a_time_or_an_error(value: object) -> None:
    with suppress(InvalidInput):
        assert when(value).tzinfo is not None
