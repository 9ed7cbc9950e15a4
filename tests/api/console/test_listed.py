from __future__ import annotations

from typing import Any

import pytest

from api.console.listed import Address, Field, address, bare, columns, hushed, item_ids, rows_of
from labeling.errors import InvalidInput, NotFound


def told(name: str, schema: dict[str, Any], where: str = "query") -> dict[str, Any]:
    return {"name": name, "in": where, "required": False, "schema": schema}


NOTHING = {"type": "null"}
SCHEMAS = {"State": {"enum": ["open", "closed"], "type": "string"}}
PATHS: dict[str, Any] = {
    "/v1/tasks": {
        "get": {
            "parameters": [
                told("round_id", {"anyOf": [{"type": "string"}, NOTHING]}),
                told("state", {"anyOf": [{"$ref": "#/components/schemas/State"}, NOTHING]}),
                told("lane", {"type": "array", "items": {"type": "string"}}),
                told("limit", {"type": "integer", "maximum": 500}),
            ]
        }
    },
    "/v1/rounds/{round_id}": {"get": {"parameters": [told("round_id", {"type": "string"}, "path")]}},
    "/v1/rounds/preview": {"post": {}},
    "/v1/rounds/{round_id}/events": {"get": {}},
}


def asked(of: str) -> Address:
    return address(of, PATHS)


def test_an_address_is_one_of_the_apis_lists() -> None:
    found = asked("/v1/rounds/week%201?x=1")
    assert (found.template, found.places) == ("/v1/rounds/{round_id}", {"round_id": "week 1"})
    assert found.title == "Round week 1"
    assert asked("/v1/tasks?round_id=r").title == "Tasks of round r"
    assert asked("/v1/tasks").title == "Tasks"
    for wrong in ("/v1/nothing", "/v1/rounds/r/events"):
        with pytest.raises(NotFound):
            asked(wrong)
    for wrong in ("http://else.test/v1/tasks", "//else.test/v1/tasks", "/console/rounds", ""):
        with pytest.raises(InvalidInput, match="of: expected an address"):
            asked(wrong)


def test_its_filters_are_the_apis_own() -> None:
    found = asked("/v1/tasks?state=open&lane=a&lane=b")
    assert found.fields(SCHEMAS) == [
        Field("round_id", "round", "text", "", "", (), needed=False),
        Field("state", "state", "select", "open", "", ("open", "closed"), needed=False),
    ]
    assert found.most() == 500
    assert str(found.with_(state="", round_id="r")) == "/v1/tasks?lane=a&lane=b&round_id=r"


def test_an_answer_is_rows_and_the_rest() -> None:
    assert rows_of({"items": [], "days": [{"a": 1}], "n": 2}) == ([], {"days": [{"a": 1}], "n": 2})
    assert rows_of({"rounds": ["a", "b"], "lanes": [{"lane": "risk"}]})[0] == [{"lane": "risk"}]
    assert rows_of(["a"]) == ([{"value": "a"}], {})
    assert rows_of({"n": 1}) == ([], {"n": 1})
    assert columns([{"task_id": "t", "n": 1}, {"n": None, "item_id": "i", "external_id": "e"}]) == [
        ("external_id", "Item", False),
        ("n", "N", True),
        ("task_id", "Task", False),
    ]


def test_content_and_what_would_sway_are_left_out() -> None:
    assert bare([{"text": "x", "in": {"rationale": "y", "n": 1}, "words": ["z"]}]) == [{"in": {"n": 1}}]
    row = {"item_id": "i", "lane": "risk", "pi": 0.5, "reasons": ["near"], "policy": "p"}
    assert hushed(row, {"i"}) == {"item_id": "i", "lane": None, "pi": None, "reasons": None, "policy": "p"}
    assert hushed(row, {"j"}) == row
    assert item_ids({"item_ids": ["a"], "rows": [{"item_id": "b"}, {"item_id": None}]}) == {"a", "b"}
