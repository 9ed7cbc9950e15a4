from __future__ import annotations

from api.auth import Role
from tests.api.client import assert_problem
from tests.api.routes.conftest import Site
from tests.api.site import gild, score_all, select, stock


def test_patterns_are_for_leads_and_say_what_they_rest_on(site: Site) -> None:
    site.refused("GET", "/v1/patterns", Role.LEAD)
    site.refused("GET", "/v1/patterns/0f3c5a7b9d1e2f40", Role.LEAD)
    site.refused("GET", "/v1/patterns/0f3c5a7b9d1e2f40/items", Role.LEAD)
    assert_problem(site.ask("GET", "/v1/patterns", Role.LEAD), 409, "goldfold sync")
    stock(site.goldfold)
    score_all(site.goldfold)
    select(site.goldfold, budget=20)
    gild(site.goldfold)
    told = site.get("/v1/patterns", Role.LEAD)
    assert (told["patterns"], told["decisions"], told["errors"]) == ([], 40, 0)  # all agreed: there is no error to see
    assert told["licence"] == "sample: decisions that were judged, no population claim"
    assert_problem(site.ask("GET", "/v1/patterns/0f3c5a7b9d1e2f40", Role.LEAD), 404, "no pattern has the id")
    assert_problem(site.ask("GET", "/v1/patterns/0f3c5a7b9d1e2f40/items", Role.LEAD), 404, "no pattern has the id")
