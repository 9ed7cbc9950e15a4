from __future__ import annotations

import json
from typing import Any

import pytest

from api.auth import Role
from tests.api.client import assert_problem
from tests.api.routes.conftest import Site
from tests.api.site import score_all

PATH = "/v1/items"


def item(number: int, **more: Any) -> dict[str, Any]:
    return {"external_id": f"post-{number}", "text": f"words of {number}", **more}


def count(site: Site) -> tuple[int, int]:
    return site.goldfold.ledger.items.count(), site.goldfold.lake.count()


def test_items_come_in_and_can_be_read_with_their_scores(site: Site) -> None:
    batch = {"items": [item(1, language="en"), item(2)]}
    response = site.ask("POST", PATH, json=batch)
    assert response.status_code == 201
    assert response.json() == {"read": 2, "added": 2, "already_there": 0, "repeated": 0, "stopped": 0}
    assert site.ask("POST", PATH, json=batch).json()["already_there"] == 2
    assert site.get(f"{PATH}/post-1")["scores"] == {}
    score_all(site.goldfold)
    found = site.get(f"{PATH}/post-1")
    assert (found["text"], found["language"]) == ("words of 1", "en")
    (scores,) = found["scores"].values()
    assert set(scores) == set(site.goldfold.policies)
    assert all(0 <= one <= 1 for one in scores.values())


def test_a_batch_with_bad_rows_is_refused_whole_naming_row_and_field(site: Site) -> None:
    rows = [item(1), {"external_id": "post-2"}, item(3, colour="red"), item(4, text="a\x00b"), item(5, views=-1)]
    body = assert_problem(site.ask("POST", PATH, json={"items": rows}), 422)
    assert body["type"] == "urn:goldfold:problem:invalid-input"
    for row, field in ((2, "text"), (3, "colour"), (4, "text"), (5, "views")):
        assert any(f"row {row}" in one and field in one for one in body["problems"]), body["problems"]
    assert count(site) == (0, 0)


def test_the_same_id_with_other_content_is_a_conflict(site: Site) -> None:
    site.ask("POST", PATH, json={"items": [item(1)]})
    response = site.ask("POST", PATH, json={"items": [item(2), item(1, text="other words")]})
    body = assert_problem(response, 409, "post-1")
    assert body["type"] == "urn:goldfold:problem:duplicate-item"
    assert count(site) == (1, 1)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"items": []}, "body.items"),
        ({}, "body.items"),
        ({"items": [1]}, "body.items.0"),
        ({"items": [item(1)], "more": 1}, "body.more"),
        ({"items": [item(1, text="x" * 20_001)]}, "row 1.*text"),
        ({"items": [item(1, text=7)]}, "row 1.*text"),
        ({"items": [item(1, policies=["nonsense"])]}, "row 1.*policies"),
        ({"items": [item(1, created_at="yesterday")]}, "row 1.*created_at"),
    ],
)
def test_what_does_not_fit_is_named(site: Site, body: dict[str, Any], says: str) -> None:
    assert_problem(site.ask("POST", PATH, json=body), 422, says)
    assert count(site) == (0, 0)


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"\xff\xfe",
        b'{"items": [{"external_id": "a", "text": "\\ud800"}]}',
        b'{"items": [{"external_id": "\\ud800", "text": "a"}]}',
        b'{"items": [{"external_id": "a", "text": "a", "views": NaN}]}',
        b'{"items": [{"external_id": "a", "text": "a", "views": 1e400}]}',
        b'{"items": [{"\\ud800": "a", "text": "a"}]}',
        b'{"\\ud800": []}',
    ],
)
def test_what_is_no_text_at_all_is_refused_and_never_a_crash(site: Site, raw: bytes) -> None:
    response = site.ask("POST", PATH, content=raw, headers={"Content-Type": "application/json"})
    assert_problem(response, 422)
    assert count(site) == (0, 0)


def test_an_unknown_item_is_named(site: Site) -> None:
    assert_problem(site.ask("GET", f"{PATH}/nobody"), 404, "no item has the external_id 'nobody'")


def test_items_are_for_engineers(site: Site) -> None:
    site.refused("POST", PATH, Role.ENGINEER, json={"items": [item(1)]})
    site.refused("GET", f"{PATH}/post-1", Role.ENGINEER)


def test_content_never_reaches_the_log(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.ask("POST", PATH, json={"items": [item(1, text="unspeakable words"), {"text": "unspeakable words"}]})
    said = capsys.readouterr()
    assert "unspeakable" not in said.out + said.err
    assert json.dumps(site.ask("GET", "/v1/jobs").json()) == "[]"
