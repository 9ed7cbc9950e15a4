from __future__ import annotations

from typing import Any

import pytest

from api.online.rows import ItemIn, answer, read, refused
from api.online.tickets import Row
from configs.settings import PACKAGED_POLICIES
from labeling.policies import read_policies

POLICIES = read_policies(PACKAGED_POLICIES)
HATE, VIOLENCE = "hate_speech", "violence"


def fault(raw: object) -> str:
    found = read(3, raw, POLICIES, 100)
    assert found.item is None
    return found.error or ""


def test_a_good_row_is_an_item() -> None:
    found = read(0, {"id": "a b", "text": "words", "policies": [HATE]}, POLICIES, 100)
    assert (found.id, found.error) == ("a b", None)
    assert found.item == ItemIn(id="a b", text="words", policies=[HATE])
    assert read(0, {"text": ""}, POLICIES, 100).item == ItemIn(text="")  # what is wrong with it is the scorer's to say


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (7, "items.3: "),
        (None, "items.3: "),
        ({}, "items.3.text: Field required"),
        ({"text": 7}, "items.3.text: "),
        ({"text": None}, "items.3.text: "),
        ({"text": "a", "id": 7}, "items.3.id: "),
        ({"text": "a", "id": ""}, "items.3.id: "),
        ({"text": "a", "id": "x" * 257}, "items.3.id: "),
        ({"text": "a", "id": "a\nb"}, "items.3.id: Value error, must be printable"),
        ({"text": "a", "id": "\ud800"}, "items.3.id: "),
        ({"text": "a", "txt": "b"}, "items.3.txt: "),
        ({"text": "a", "\ud800": "b"}, "items.3"),
        ({"text": "a", "policies": []}, "items.3.policies: "),
        ({"text": "a", "policies": HATE}, "items.3.policies: "),
        ({"text": "a", "policies": [7]}, "items.3.policies.0: "),
        ({"text": "a", "policies": ["nope"]}, "items.3.policies: unknown: nope; use some of exploits, hate_speech"),
        ({"text": "a", "policies": ["\ud800"]}, "items.3.policies"),
        ({"text": "x" * 101}, "items.3.text: has 101 characters, more than 100 (setting max_text_chars)"),
    ],
)
def test_a_bad_row_is_named_and_can_be_sent_back(raw: object, says: str) -> None:
    assert fault(raw).startswith(says)
    refused(None, fault(raw)).model_dump_json().encode()


def test_content_is_not_repeated() -> None:
    assert "unspeakable" not in fault({"text": ["unspeakable"]}) + fault({"text": "unspeakable" * 10})


def test_the_id_comes_back_with_an_error_when_it_can() -> None:
    assert read(0, {"id": "a", "text": 7}, POLICIES, 100).id == "a"
    for bad in (7, "\ud800", "x" * 257, None):
        assert read(0, {"id": bad, "text": 7}, POLICIES, 100).id is None


def test_the_answer_has_what_was_asked_for() -> None:
    row = Row({HATE: 0.5, VIOLENCE: 0.25}, ("was cut",))
    every = answer(0, ItemIn(id="a", text="t"), row, POLICIES)
    assert every.probabilities == {HATE: 0.5, VIOLENCE: 0.25}
    assert every.above_threshold == {HATE: True, VIOLENCE: False}
    assert (every.id, every.notes, every.error) == ("a", ["was cut"], None)
    assert every.disagreement is None
    one = answer(0, ItemIn(text="t", policies=[VIOLENCE]), row, POLICIES)
    assert (one.probabilities, one.above_threshold) == ({VIOLENCE: 0.25}, {VIOLENCE: False})


def test_a_committees_disagreement_is_told_for_what_was_asked() -> None:
    row = Row({HATE: 0.5, VIOLENCE: 0.25}, disagreement={HATE: 0.12345678, VIOLENCE: 0.0})
    assert answer(0, ItemIn(text="t"), row, POLICIES).disagreement == {HATE: 0.123457, VIOLENCE: 0.0}
    assert answer(0, ItemIn(text="t", policies=[VIOLENCE]), row, POLICIES).disagreement == {VIOLENCE: 0.0}


@pytest.mark.parametrize(
    ("row", "policies", "error"),
    [
        (Row(error="the text is empty"), None, "items.4: the text is empty"),
        (Row({HATE: 0.5}), [VIOLENCE, HATE], "items.4.policies: the scorer does not judge violence"),
    ],
)
def test_what_the_scorer_could_not_do_is_told(row: Row, policies: Any, error: str) -> None:
    found = answer(4, ItemIn(id="a", text="t", policies=policies), row, POLICIES)
    assert (found.id, found.error, found.probabilities, found.above_threshold) == ("a", error, {}, {})
