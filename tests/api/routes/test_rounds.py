from __future__ import annotations

from typing import Any

import pytest

from api.auth import Role
from api.jobs import steps
from tests.api.client import assert_problem
from tests.api.routes.conftest import Site
from tests.api.site import HARM, score_all, select, stock

PATH = "/v1/rounds"
ROUND = {"round_id": "week-47", "budget": 4, "policies": [HARM], "lanes": {"random": 0.5, "uncertain": 0.5}}


def test_a_dry_run_shows_picks_and_writes_nothing(site: Site) -> None:
    assert_problem(site.ask("POST", f"{PATH}/preview", json=ROUND), 409, "no item has a score yet")
    stock(site.goldfold)
    score_all(site.goldfold)
    response = site.ask("POST", f"{PATH}/preview", json=ROUND)
    assert response.status_code == 200
    shown = response.json()
    assert shown["items_scored"] == 40
    assert [pick["lane"] for pick in shown["picks"]] == ["random", "random", "uncertain", "uncertain"]
    assert [pick["pi"] is None for pick in shown["picks"]] == [False, False, True, True]
    assert site.get(PATH) == []
    assert site.goldfold.ledger.tasks.where() == []
    assert site.ask("POST", f"{PATH}/preview", json=ROUND).json() == shown


def test_a_round_runs_as_a_job_of_its_id(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "project", lambda *_: 1)
    monkeypatch.setattr(steps, "push", lambda *_, **__: {"sent": 4, "left": 0, "quarantined": 0})
    stock(site.goldfold)
    for _ in range(2):
        response = site.ask("POST", PATH, json=ROUND)
        assert response.status_code == 202
        assert (response.json()["job_id"], response.json()["kind"]) == ("week-47", "round")
        assert site.service.jobs.result("week-47")["picks"] == 4
    found = site.get(f"{PATH}/week-47", Role.VIEWER)
    assert (found["state"], found["tasks"], found["plan"]["budget"]) == ("open", {"queued": 4}, 4)
    assert [one["round_id"] for one in site.get(PATH, Role.VIEWER)] == ["week-47"]
    picks = site.get(f"{PATH}/week-47/picks")
    assert len(picks) == 4
    assert all(pick["policy"] == HARM and pick["reasons"] for pick in picks)
    pages = [site.get(f"{PATH}/week-47/picks?limit=3&offset={start}") for start in (0, 3, 6)]
    assert [len(page) for page in pages] == [3, 1, 0]
    assert sorted(map(str, pages[0] + pages[1])) == sorted(map(str, picks))
    other = site.ask("POST", PATH, json={**ROUND, "budget": 5})
    assert assert_problem(other, 409, "'week-47' is taken")["type"] == "urn:goldfold:problem:job-conflict"


def test_what_is_left_out_comes_from_the_settings(site: Site) -> None:
    stock(site.goldfold)
    response = site.ask("POST", PATH, json={})
    assert response.status_code == 202
    assert response.json()["job_id"].startswith("round-")
    assert site.get(f"/v1/jobs/{response.json()['job_id']}")["kind"] == "round"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"round_id": "../x"}, "body.round_id"),
        ({"budget": 0}, "body.budget"),
        ({"overlap": 11}, "body.overlap"),
        ({"colour": "red"}, "body.colour"),
        ({"policies": ["nonsense"]}, "policies: nonsense unknown"),
        ({"lanes": {"random": 0.5}}, "lanes: shares add up to 0.5"),
        ({"lanes": {"random": 1.5, "uncertain": -0.5}}, "lanes: .* share must be above 0"),
        ({"lanes": {"nonsense": 1.0}}, "lanes: 'nonsense' is unknown"),
        ({"lanes": {}}, "lanes"),
        ({"strategy": "nonsense"}, "strategy 'nonsense' is unknown"),
        ({"seed": 2**63}, "seed"),
        ({"per": "hour"}, "body.per"),
        ({"max_minutes": 0}, "body.max_minutes"),
        ({"costs": {"coffee": 1}}, "costs: 'coffee' is unknown"),
        ({"quotas": [{"key": "surface", "value": "GB"}]}, "body.quotas.0.key"),
        ({"quotas": [{"key": "policy", "value": "nonsense", "at_least": 1}]}, "nonsense"),
        ({"quotas": [{"key": "language", "value": "en", "at_least": 9, "at_most": 1}]}, "quota"),
    ],
)
def test_a_round_that_nothing_could_make_good_is_refused_at_once(
    site: Site, changes: dict[str, Any], says: str
) -> None:
    for path in (PATH, f"{PATH}/preview"):
        assert_problem(site.ask("POST", path, json={**ROUND, **changes}), 422, says)
    assert site.get("/v1/jobs") == []


def test_lanes_may_be_left_to_what_they_brought(site: Site) -> None:
    stock(site.goldfold)
    score_all(site.goldfold)
    shown = site.ask("POST", f"{PATH}/preview", json={**ROUND, "lanes": "auto"}).json()
    assert shown["frame"]["lanes"]["why"].startswith("unchanged: ")
    assert shown["frame"]["lanes"]["lanes"] == site.goldfold.settings.lanes
    assert any(note.startswith("lanes: random 0.1") for note in shown["notes"])
    assert_problem(site.ask("POST", PATH, json={**ROUND, "lanes": "guess"}), 422, "lanes")


def test_a_budget_over_the_frame_is_refused_at_once(site: Site) -> None:
    assert_problem(site.ask("POST", PATH, json=ROUND), 409, "the lake is empty|no item|ingest")
    stock(site.goldfold, 5)
    score_all(site.goldfold)
    big = {**ROUND, "budget": 50}
    for path in (f"{PATH}/preview", PATH):
        refused = site.ask("POST", path, json=big)
        assert_problem(refused, 422, "the budget asks for 50 picks, but the frame holds 5")
    assert site.get("/v1/jobs") == []


def test_a_cancelled_round_frees_what_it_picked(site: Site) -> None:
    select_of(site)
    ended = site.ask("POST", f"{PATH}/week-1/cancel")
    assert (ended.status_code, ended.json()["state"], ended.json()["tasks"]) == (200, "cancelled", {"withdrawn": 6})
    again = {**ROUND, "budget": 40}
    assert len(site.ask("POST", f"{PATH}/preview", json=again).json()["picks"]) == 40
    site.refused("POST", f"{PATH}/week-1/cancel", Role.ENGINEER)


def test_unknown_rounds_are_named(site: Site) -> None:
    for path in ("nobody", "nobody/picks", "nobody/events"):
        assert_problem(site.ask("GET", f"{PATH}/{path}"), 404, "'nobody'")
    assert_problem(site.ask("POST", f"{PATH}/nobody/cancel"), 404, "'nobody'")


def test_only_a_round_has_a_rounds_events(site: Site) -> None:
    site.ask("POST", "/v1/jobs/score", json={"job_id": "score-1"})
    assert_problem(site.ask("GET", f"{PATH}/score-1/events"), 404, "'score-1' is no round")


def test_roles(site: Site) -> None:
    select_of(site)
    site.refused("POST", PATH, Role.ENGINEER, json=ROUND)
    site.refused("POST", f"{PATH}/preview", Role.ENGINEER, json=ROUND)
    site.refused("GET", f"{PATH}/week-1/picks", Role.ENGINEER)


def select_of(site: Site) -> None:
    stock(site.goldfold)
    score_all(site.goldfold)
    select(site.goldfold)
