from __future__ import annotations

from api.auth import Role
from api.requests import round_request
from labeling.records import TaskKind
from tests.api.client import assert_problem
from tests.api.routes.conftest import Site
from tests.api.site import score_all, stock

PATH = "/v1/anchoring"


def test_leads_see_the_meter_and_nobody_below(site: Site) -> None:
    site.refused("GET", PATH, Role.LEAD)
    told = site.get(PATH, Role.LEAD)
    assert (told["given"], told["answered"], told["people"], told["policies"]) == (0, 0, [], [])
    assert (told["overall"]["value"], told["overall"]["verdict"], told["overall"]["pulls"]) == (
        None,
        "insufficient",
        False,
    )
    assert told["misled"]["n"] == 0


def test_a_round_takes_its_assisted_share_over_rest(site: Site) -> None:
    stock(site.goldfold)
    score_all(site.goldfold)
    body = {"round_id": "helped", "budget": 4, "assisted": 0.5}
    shown = site.ask("POST", "/v1/rounds/preview", Role.ENGINEER, json=body).json()
    assert shown["frame"]["assisted"] == {"picks": 2, "also_blind": 1, "of": 4}
    assert_problem(site.ask("POST", "/v1/rounds/preview", Role.ENGINEER, json={**body, "assisted": 2}), 422, "assisted")
    assert site.goldfold.ledger.tasks.where(kind=TaskKind.ASSISTED) == []


def test_the_blind_share_comes_from_the_settings_where_it_matters(site: Site) -> None:
    given = site.service.settings
    assert round_request(given, {"round_id": "r", "assisted": 0.3})["assisted_blind_share"] == 0.2
    own = round_request(given, {"round_id": "r", "assisted": 0.3, "assisted_blind_share": 0.7})
    assert own["assisted_blind_share"] == 0.7
    assert "assisted_blind_share" not in round_request(given, {"round_id": "r", "assisted": None})
