"""The root-cause desk over HTTP: leads only, and a second code needs another key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.auth import Role
from api.server import build_app
from api.service import Service
from tests.api.cli.test_drafts import endpoint
from tests.api.client import assert_problem
from tests.api.routes.conftest import Site, give_keys
from tests.api.site import WordGoldfold, settings
from tests.figures import assert_whole
from tests.judge_service import chat_service

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
    agreement = site.ask("GET", f"{PATH}/agreement", Role.LEAD).json()
    assert agreement["pairs"] == 1
    assert_whole(agreement, 6)

    action = site.ask("POST", f"{PATH}/{made['finding_id']}/actions", Role.LEAD, json=ACTION).json()
    assert (action["before"]["n"], action["slice"]) == (0, {"policy": "hate_speech"})
    assert_whole(action)
    assert site.get(action["before"]["items"], Role.LEAD)["count"] == 0
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


@pytest.fixture
def judging(tmp_path: Path) -> Iterator[Site]:
    """With a folder of endpoint files."""
    (tmp_path / "judges").mkdir()
    given = settings(tmp_path / "data", judges_dir=tmp_path / "judges")
    with Service(given, WordGoldfold(given)) as service:
        yield give_keys(Site(build_app(service), service))


def opened(site: Site, waits_for: str | None) -> str:
    """A finding that was coded once, and waits for another code, or none."""
    for _ in range(200):
        made: str = site.ask("POST", PATH, Role.LEAD, json=FINDING).json()["finding_id"]
        told = site.ask("POST", f"{PATH}/{made}/codes", Role.LEAD, json={"code": "P.gap"}).json()
        if told["waits_for"] == waits_for:
            return made
    raise AssertionError("no hash fell there")


def test_a_cause_is_drafted_where_the_file_allows_it_and_never_for_who_codes_blind(judging: Site) -> None:
    folder = judging.goldfold.settings.judges_dir
    assert folder is not None
    plain, blind = opened(judging, None), opened(judging, "second")
    with chat_service(answer=lambda *_: json.dumps({"code": "G.no_example", "text": "No example."})) as (url, service):
        endpoint(folder, url)
        made = judging.ask("POST", f"{PATH}/{plain}/drafts", Role.LEAD, json={"endpoint": "gpt"})
        assert (made.status_code, made.json()["code"], made.json()["status"]) == (200, "G.no_example", "draft")
        assert "nobody has checked it" in made.json()["warning"]
        refused = judging.ask("POST", f"{PATH}/{blind}/drafts", Role.LEAD, json={"endpoint": "gpt"})
        assert_problem(refused, 409, "waits for a second code by somebody who has seen no suggestion")
        unknown = judging.ask("POST", f"{PATH}/{plain}/drafts", Role.LEAD, json={"endpoint": "gpt-2"})
        assert_problem(unknown, 422, r"no gpt-2.yaml in judges_dir \(known: gpt\)")
        away = judging.ask("POST", f"{PATH}/{plain}/drafts", Role.LEAD, json={"endpoint": "../data/gpt"})
        assert_problem(away, 422)
        endpoint(folder, url, allow_content=False)
        closed = judging.ask("POST", f"{PATH}/{plain}/drafts", Role.LEAD, json={"endpoint": "gpt"})
        assert_problem(closed, 409, "set allow_content in its file to true")
        assert len(service.seen) == 1
    judging.refused("POST", f"{PATH}/{plain}/drafts", Role.LEAD, json={"endpoint": "gpt"})
    assert judging.get(f"{PATH}/{plain}", Role.LEAD)["cause"] == "P.gap"  # a draft codes nothing


def test_without_a_folder_of_endpoints_there_are_no_drafts(site: Site) -> None:
    made = opened(site, None)
    asked = site.ask("POST", f"{PATH}/{made}/drafts", Role.LEAD, json={"endpoint": "gpt"})
    assert_problem(asked, 409, "no endpoint is configured: put endpoint files into a folder, and name it in judges_dir")
