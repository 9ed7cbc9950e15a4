from __future__ import annotations

import pytest

from api.auth import Role
from tests.api.client import assert_problem
from tests.api.routes.conftest import Site
from tests.api.site import gild, score_all, select, stock

PATH = "/v1/tasks"


@pytest.fixture
def labelled(site: Site) -> Site:
    stock(site.goldfold)
    score_all(site.goldfold)
    select(site.goldfold)
    gild(site.goldfold)
    return site


def test_tasks_are_found_by_round_state_and_kind(labelled: Site) -> None:
    assert len(labelled.get(f"{PATH}?round_id=week-1")) == 6
    assert len(labelled.get(f"{PATH}?round_id=week-1&limit=2")) == 2
    assert labelled.get(f"{PATH}?round_id=nobody") == []
    assert len(labelled.get(f"{PATH}?state=settled&kind=blind")) == 6
    assert labelled.get(f"{PATH}?kind=adjudication&state=sent") == []


def test_a_task_shows_its_place_in_label_studio_and_no_content(labelled: Site) -> None:
    first = labelled.get(PATH)[0]
    assert labelled.get(f"{PATH}/{first['task_id']}") == first
    assert first["studio_url"].startswith("http://127.0.0.1:8081/projects/1/data?task=")
    assert "text" not in first


def test_answers_are_for_leads(labelled: Site) -> None:
    task = labelled.get(PATH)[0]["task_id"]
    answers = labelled.get(f"{PATH}/{task}/annotations", Role.LEAD)
    assert [one["annotator"] for one in answers] == ["person1@example.com", "person2@example.com"]
    assert answers[0]["lead_time_s"] == 4.0
    labelled.refused("GET", f"{PATH}/{task}/annotations", Role.LEAD)
    labelled.refused("GET", PATH, Role.ENGINEER)
    labelled.refused("GET", f"{PATH}/{task}", Role.ENGINEER)


def test_what_is_not_there_is_named(site: Site) -> None:
    assert_problem(site.ask("GET", f"{PATH}/nobody"), 404, "nobody")
    assert_problem(site.ask("GET", f"{PATH}/nobody/annotations", Role.LEAD), 404, "nobody")
    assert_problem(site.ask("GET", f"{PATH}?state=lost"), 422, "query.state")
    assert_problem(site.ask("GET", f"{PATH}?limit=0"), 422, "query.limit")
