"""The root-cause desk over HTTP: leads only, and a second code needs another key."""

from __future__ import annotations

from api.auth import Role
from tests.api.client import assert_problem
from tests.api.routes.conftest import Site

PATH = "/v1/findings"
FINDING = {
    "title": "Quotes are removed",
    "statement": "Posts that quote are removed.",
    "slice": {"policy": "hate_speech"},
}
ACTION = {"what": "Add an example", "owner": "policy", "kpi": "accuracy", "target": 0.9, "due": "2026-12-01"}


def test_from_a_finding_to_an_action_that_waits_for_figures(site: Site) -> None:
    for _ in range(200):
        made = site.ask("POST", PATH, Role.LEAD, json=FINDING).json()
        site.ask("POST", f"{PATH}/{made['finding_id']}/codes", Role.LEAD, json={"code": "P.gap"})
        told = site.ask("GET", f"{PATH}/{made['finding_id']}", Role.LEAD).json()
        if told["waits_for"] == "second":
            break
    assert told["codings"] == []
    again = site.ask("POST", f"{PATH}/{made['finding_id']}/codes", Role.LEAD, json={"code": "P.gap"})
    assert_problem(again, 409, "waits for a second code by somebody who has not coded it yet")
    other = site.ask("POST", f"{PATH}/{made['finding_id']}/codes", Role.ADMIN, json={"code": "P.gap"}).json()
    assert (other["cause"], other["state"]) == ("P.gap", "open")
    assert site.ask("GET", f"{PATH}/agreement", Role.LEAD).json()["pairs"] == 1

    action = site.ask("POST", f"{PATH}/{made['finding_id']}/actions", Role.LEAD, json=ACTION).json()
    assert (action["before"]["n"], action["slice"]) == (0, {"policy": "hate_speech"})
    verify = f"/v1/actions/{action['action_id']}/verify"
    assert_problem(site.ask("POST", verify, Role.LEAD), 409, "only what is done")
    assert site.ask("POST", f"/v1/actions/{action['action_id']}/done", Role.LEAD, json={}).status_code == 204
    assert site.ask("POST", verify, Role.LEAD).json()["proof"] == "not yet"
    assert site.ask("POST", f"/v1/actions/{action['action_id']}/drop", Role.LEAD, json={}).status_code == 204
    (shown,) = [f for f in site.ask("GET", PATH, Role.LEAD).json() if f["finding_id"] == made["finding_id"]]
    assert [event["state"] for event in shown["actions"][0]["events"]] == ["done", "dropped"]


def test_others_than_leads_are_refused_and_bad_input_is_named(site: Site) -> None:
    assert_problem(site.ask("GET", PATH, Role.ENGINEER), 403)
    assert_problem(
        site.ask("POST", PATH, Role.LEAD, json=FINDING | {"slice": {"x": "y"}}), 422, "slice: 'x' is unknown"
    )
    assert_problem(site.ask("GET", f"{PATH}/nothing", Role.LEAD), 404, "no finding 'nothing'")
