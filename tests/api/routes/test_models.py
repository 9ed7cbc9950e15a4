from __future__ import annotations

import pytest

from api.auth import Role
from tests.api.client import assert_problem
from tests.api.routes.conftest import Site
from tests.api.site import HARM, gild, score_all, select, stock

PATH = "/v1/models"


@pytest.fixture
def gold(site: Site) -> Site:
    """A site with a published golden version."""
    stock(site.goldfold)
    score_all(site.goldfold)
    select(site.goldfold, budget=30)
    gild(site.goldfold)
    assert site.ask("POST", "/v1/golden/versions", Role.LEAD, json={}).status_code == 201
    return site


def test_a_model_is_trained_judged_and_promoted(gold: Site) -> None:
    for _ in range(2):
        response = gold.ask("POST", PATH, json={"model_id": "hate-1"})
        assert response.status_code == 202, response.text
        assert gold.service.jobs.result("hate-1")["model_id"] == "hate-1"
    (model,) = gold.get(PATH, Role.VIEWER)
    assert (model["model_id"], model["state"], model["golden_version"]) == ("hate-1", "candidate", "1.0.0")
    assert gold.get(f"{PATH}/hate-1", Role.VIEWER) == model
    judged = gold.ask("POST", f"{PATH}/hate-1/evaluate", json={}).json()
    assert judged["golden_version"] == "1.0.0"
    assert judged["policies"][HARM]["n"] > 0
    assert judged == model["metrics"]
    before = gold.goldfold.scorer().version
    promoted = gold.ask("POST", f"{PATH}/hate-1/promote", Role.LEAD).json()
    assert (promoted["state"], promoted["promoted_at"] is None) == ("champion", False)
    assert gold.goldfold.scorer().version != before


def test_training_needs_a_golden_version(site: Site) -> None:
    assert_problem(site.ask("POST", PATH, json={}), 409, "no golden version yet")
    site.ask("POST", PATH, json={"model_id": "hate-1", "golden_version": "9.9.9"})
    assert list(site.service.jobs.follow("hate-1"))[-1].state == "failed"
    assert "9.9.9" in site.get("/v1/jobs/hate-1")["error"]


def test_what_is_not_there_is_named(site: Site) -> None:
    for method, path in (("GET", ""), ("POST", "/evaluate"), ("POST", "/promote")):
        assert_problem(site.ask(method, f"{PATH}/nobody{path}", Role.LEAD, json={}), 404, "nobody")
    for body, field in (({"model_id": "../x"}, "model_id"), ({"seed": "x"}, "seed"), ({"more": 1}, "more")):
        assert_problem(site.ask("POST", PATH, json=body), 422, f"body.{field}")


def test_a_seed_that_no_generator_takes_is_refused(site: Site) -> None:
    for seed in (-1, 2**32):
        assert_problem(site.ask("POST", PATH, json={"seed": seed}), 422, "body.seed")


def test_training_is_for_engineers_and_promoting_for_leads(site: Site) -> None:
    site.refused("POST", PATH, Role.ENGINEER, json={})
    site.refused("POST", f"{PATH}/x/evaluate", Role.ENGINEER, json={})
    site.refused("POST", f"{PATH}/x/promote", Role.LEAD)
