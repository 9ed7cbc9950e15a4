from __future__ import annotations

import pytest

from api.auth import Role, make_key
from tests.api.client import assert_problem, call
from tests.api.routes.conftest import Site
from tests.api.site import HARM, gild, score_all, select, stock
from tests.figures import assert_whole


@pytest.fixture
def answered(site: Site) -> Site:
    stock(site.goldfold)
    score_all(site.goldfold)
    select(site.goldfold, budget=30)
    gild(site.goldfold)
    return site


def test_a_lead_sees_everybody_without_points(answered: Site) -> None:
    answered.refused("GET", "/v1/people", Role.LEAD)
    told = answered.get("/v1/people", Role.LEAD)
    assert [page["person"] for page in told["people"]] == ["person1@example.com", "person2@example.com"]
    assert {figure["value"] for figure in assert_whole(told, 4)} == {None}
    right = told["people"][0]["parts"][0]["right"]
    assert 0 < answered.get(right["items"], Role.LEAD)["count"] <= right["n"]
    assert told["people"][0]["parts"][0]["right"]["n"] == 30


def test_a_person_sees_the_page_that_their_key_is_named_by(answered: Site) -> None:
    key, plaintext = make_key("Person1@example.com", Role.VIEWER)
    answered.goldfold.ledger.keys.add(key)
    response = call(answered.app, "GET", "/v1/people/me", key=plaintext)
    assert response.status_code == 200
    own = response.json()
    assert own["person"] == "person1@example.com"
    assert own["parts"][0]["right"]["value"] > 0.8
    assert_whole(own, 4)
    mine = call(answered.app, "GET", own["parts"][0]["right"]["items"], key=plaintext)
    assert 0 < mine.json()["count"] <= own["answers"]
    assert "person2" not in response.text
    assert_problem(answered.ask("GET", "/v1/people/me", Role.LEAD), 404, "has answered no blind task")


def test_agreement_is_told_to_viewers(answered: Site) -> None:
    told = answered.get("/v1/agreement", Role.VIEWER)
    assert [(cell["policy"], cell["rule_id"]) for cell in told["cells"]][:2] == [("", ""), (HARM, "")]
    assert told["cells"][0]["outcome"]["observed"]["n"] == 30


def test_before_anybody_answered(site: Site) -> None:
    assert_problem(site.ask("GET", "/v1/people", Role.LEAD), 409, "nobody has answered")
    assert_problem(site.ask("GET", "/v1/agreement"), 409, "no blind task has two answers")
    assert_problem(site.ask("GET", "/v1/golden/errors", Role.LEAD), 409, "goldfold golden errors")


def test_the_label_error_queue_is_for_leads_and_made_by_the_command_line(answered: Site) -> None:
    answered.refused("GET", "/v1/golden/errors", Role.LEAD)
    answered.goldfold.suspects(10)
    told = answered.get("/v1/golden/errors", Role.LEAD)
    assert (told["stale"], list(told["labels"]) in ([], [HARM])) == (0, True)
