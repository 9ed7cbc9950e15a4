from __future__ import annotations

from api.auth import Role
from tests.api.client import assert_problem
from tests.api.routes.conftest import Site
from tests.api.routes.test_rounds import select_of


def test_a_round_tells_what_its_lanes_brought(site: Site) -> None:
    select_of(site)
    told = site.get("/v1/rounds/week-1/yield?cost_per_label=0.5&more=300")
    assert (told["rounds"], told["cost_per_label"], told["forecast"]["more"]) == (["week-1"], 0.5, 300)
    lanes = {(row["lane"], row["policy"]): row for row in told["lanes"]}
    assert lanes["random", ""]["lift"] is None
    assert lanes["random", ""]["flipped"] is None
    assert lanes["uncertain", ""]["lift"]["verdict"] == "insufficient"
    assert lanes["uncertain", ""]["picks"] > 0
    assert_problem(site.ask("GET", "/v1/yield"), 409, "no round is closed yet")


def test_what_is_asked_wrongly_is_refused(site: Site) -> None:
    assert_problem(site.ask("GET", "/v1/rounds/nobody/yield"), 404, "'nobody'")
    assert_problem(site.ask("GET", "/v1/yield?more=0"), 422, "more")
    assert_problem(site.ask("GET", "/v1/yield?cost_per_label=-1"), 422, "cost_per_label")
    assert site.ask("GET", "/v1/yield", role=Role.VIEWER).status_code == 409
