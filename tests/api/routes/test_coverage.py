"""Coverage over HTTP: for leads, and a round that is dry unless told otherwise."""

from __future__ import annotations

from api.auth import Role
from tests.api.client import assert_problem
from tests.api.routes.conftest import Site
from tests.api.site import score_all, stock
from tests.figures import assert_whole

PATH = "/v1/coverage"


def test_from_what_gold_lacks_to_a_round(site: Site) -> None:
    assert_problem(site.ask("GET", PATH, Role.LEAD), 409, "run the score job first")
    stock(site.goldfold, 60)
    score_all(site.goldfold)
    told = site.get(f"{PATH}?policy=hate_speech&sample=2000", Role.LEAD)
    assert (told["items"], told["looked_at"]) == (60, 60)
    assert told["near"]["licence"].startswith("population: all 60 texts")
    assert_whole(told, 11)
    first = told["clusters"][0]
    assert site.get(told["near"]["items"], Role.LEAD)["count"] == 60
    assert site.get(first["near"]["items"], Role.LEAD)["count"] == first["looked_at"]
    assert site.get(first["near_risky"]["items"], Role.LEAD)["count"] == first["risky"]
    dark = site.get(f"{PATH}/items?cluster={first['cluster']}&kind=dark&policy=hate_speech", Role.LEAD)
    assert {one["item_id"] for one in dark["items"]} >= set(first["exemplars"])
    assert_problem(site.ask("GET", f"{PATH}/items?kind=bright", Role.LEAD), 422, "is none of looked at, risky, dark")
    assert_problem(site.ask("GET", f"{PATH}/items?sample=1999", Role.LEAD), 422, "sample: must be one of")
    given = {"cluster": told["clusters"][0]["cluster"], "policies": ["hate_speech"], "budget": 3}
    shown = site.ask("POST", f"{PATH}/rounds", Role.LEAD, json=given).json()
    assert (len(shown["picks"]), shown["dry_run"], site.get("/v1/rounds")) == (3, True, [])
    made = site.ask("POST", f"{PATH}/rounds", Role.LEAD, json=given | {"dry_run": False}).json()
    assert (made["picks"], made["again"]) == (shown["picks"], False)
    assert [one["round_id"] for one in site.get("/v1/rounds")] == [made["round_id"]]


def test_others_than_leads_are_refused_and_bad_input_is_named(site: Site) -> None:
    site.refused("GET", PATH, Role.LEAD)
    site.refused("GET", f"{PATH}/items", Role.LEAD)
    site.refused("POST", f"{PATH}/rounds", Role.LEAD, json={"cluster": "x"})
    assert_problem(site.ask("POST", f"{PATH}/rounds", Role.LEAD, json={"cluster": "x"}), 404, "cluster 'x' is none")
    assert_problem(site.ask("GET", f"{PATH}?cosine=2", Role.LEAD), 422)
    assert_problem(site.ask("GET", f"{PATH}?modality=image", Role.LEAD), 409, "nothing scores images here")
    assert_problem(site.ask("GET", f"{PATH}?modality=smell", Role.LEAD), 422, "modality: must be one of text, image")
    picture = site.ask("POST", f"{PATH}/rounds", Role.LEAD, json={"cluster": "i1x2000-00000000"})
    assert_problem(picture, 409, "images cannot be asked about here: set media_link_secret")
    one_less = site.ask("GET", f"{PATH}?sample=1999", Role.LEAD)
    assert_problem(one_less, 422, "sample: must be one of 2000, 20000, 200000")
