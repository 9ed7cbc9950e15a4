from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from api.auth import Role
from api.console.pages.round_design import Design
from api.jobs import steps
from labeling.insights.round_outlook import effective_n
from labeling.records import TaskState
from labeling.rounds import close_round
from tests.api.client import call
from tests.api.console.desk import Desk, gold_site, sign_in
from tests.api.routes.conftest import Site
from tests.api.site import HARM, select

OPEN, CLOSED = "week-2", "week-1"
DESIGN = {"budget": "4", "policies": HARM, "lane_random": "0.5", "lane_uncertain": "0.5"}
JSON = {"Accept": "application/json"}


@pytest.fixture(scope="module")
def site(gilded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with gold_site(gilded, tmp_path_factory.mktemp("console")) as site:
        assert close_round(site.goldfold.ledger, CLOSED)
        select(site.goldfold, OPEN, budget=4)
        yield site


@pytest.fixture(scope="module")
def desk(site: Site) -> Desk:
    return sign_in(site, Role.ENGINEER)


def told(site: Site, path: str, role: Role = Role.ENGINEER) -> dict[str, Any]:
    response = site.ask("GET", path, role, headers=JSON)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


def test_rounds_are_listed_newest_first(site: Site, desk: Desk) -> None:
    page = desk.get("/console/rounds").text
    assert page.index(f">{OPEN}<") < page.index(f">{CLOSED}<")
    assert "New round" in page
    assert "New round" not in sign_in(site, Role.VIEWER).get("/console/rounds").text
    assert f">{OPEN}<" not in desk.get("/console/rounds?from=1").text
    assert page.count("words + head") == 2  # who scored, by name
    closed = desk.get("/console/rounds?state=closed").text
    assert f">{CLOSED}<" in closed
    assert f">{OPEN}<" not in closed
    oldest = desk.get(f"/console/rounds?policy={HARM}&order=oldest").text
    assert oldest.index(f">{CLOSED}<") < oldest.index(f">{OPEN}<")
    assert "No round is like this" in desk.get("/console/rounds?policy=privacy").text


def test_a_round_tells_what_the_api_tells(site: Site, desk: Desk) -> None:
    body = told(site, f"/console/rounds/{CLOSED}")
    picks = site.get(f"/v1/rounds/{CLOSED}/picks")
    value = body["picked"]["value"]
    assert value["picks"] == len(picks) == 110
    assert value["effective_n"] == pytest.approx(effective_n([(p["lane"], p["pi"]) for p in picks]))
    assert body["progress"]["states"] == [["settled", 110]]
    page = unescape(desk.get(f"/console/rounds/{CLOSED}").text)
    assert "55 random, 55 uncertain" in page
    assert "110 picks" in page
    assert "50 % random, 50 % uncertain" in page
    assert "2 people each" in page
    assert desk.get(f"/console/rounds/{CLOSED}?chart=lanes&as=csv").status_code == 404  # two bars tell nothing
    assert value["histogram"]["counts"] == {"random": [55]}
    assert f"a chance of {100 * picks[0]['pi']:.3g} %" in page
    assert "data-events" not in desk.get(f"/console/rounds/{CLOSED}").text
    assert f'data-events="/console/rounds/{OPEN}/events"' in desk.get(f"/console/rounds/{OPEN}").text
    assert desk.get("/console/rounds/nobody").status_code == 404


def test_progress_tells_what_is_settled_answered_and_waiting(site: Site, desk: Desk) -> None:
    tasks = site.goldfold.ledger.tasks
    ids = [task.task_id for task in tasks.where(round_id=OPEN)]
    tasks.set_state(ids[:1], TaskState.ANSWERED)
    told_ = told(site, f"/console/rounds/{OPEN}")["progress"]
    assert [(part["name"], part["count"], part["before"]) for part in told_["parts"]] == [
        ("settled", 0, 0),
        ("answered", 1, 0),
        ("waiting", 3, 1),
        ("left out", 0, 4),
    ]
    page = unescape(desk.get(f"/console/rounds/{OPEN}").text)
    assert 'aria-label="1 answered, 3 waiting of 4 tasks"' in page
    assert f"of=/v1/tasks%3Fround_id%3D{OPEN}%26state%3Danswered" in page
    assert "/console/list" not in sign_in(site, Role.VIEWER).get(f"/console/rounds/{OPEN}").text
    tasks.set_state(ids[:1], TaskState.QUEUED)


def test_the_consoles_links_do_not_tell_why_while_a_question_is_open(site: Site, desk: Desk) -> None:
    assert f'href="/console/rounds/{OPEN}/picks"' in desk.get(f"/console/rounds/{OPEN}").text
    for page in (f"/console/rounds/{OPEN}", f"/console/rounds/{CLOSED}", f"/console/rounds/{CLOSED}/yield"):
        assert "/v1/rounds" not in desk.get(page).text
    first = site.goldfold.ledger.rounds.picks(OPEN)[0]
    name = site.goldfold.ledger.items.by_id([first.item_id])[first.item_id].external_id
    assert told(site, f"/console/items/{name}")["read"]["value"]["scores"] == {}


def test_why_an_item_was_picked_waits_for_its_answer(site: Site, desk: Desk) -> None:
    unanswered = told(site, f"/console/rounds/{OPEN}/picks")["cards"]
    assert [(card["lane"], card["pi"], card["probability"], card["reasons"]) for card in unanswered] == [
        (None, None, None, [])
    ] * 4
    page = desk.get(f"/console/rounds/{OPEN}/picks").text
    assert page.count("not yet labelled") == 4
    first = site.goldfold.ledger.rounds.picks(OPEN)[0]
    assert not [reason for reason in first.reasons if reason in unescape(page)]
    answered = told(site, f"/console/rounds/{CLOSED}/picks")["cards"]
    by_item = {(p.item_id, p.policy_id): p for p in site.goldfold.ledger.rounds.picks(CLOSED)}
    assert len(answered) == 50
    for card in answered:
        pick = by_item[site.goldfold.ledger.items.named(card["external_id"]).item_id, card["policy_id"]]
        assert (card["lane"], card["pi"], card["probability"]) == (pick.lane, pick.pi, pick.probability)
    assert len(told(site, f"/console/rounds/{CLOSED}/picks?from=100")["cards"]) == 10
    assert sign_in(site, Role.VIEWER).get(f"/console/rounds/{CLOSED}/picks").status_code == 403


def test_yields_are_those_of_the_api(site: Site, desk: Desk) -> None:
    for page, route in (
        (f"/console/rounds/{CLOSED}/yield", f"/v1/rounds/{CLOSED}/yield"),
        ("/console/rounds/yield", "/v1/yield"),
    ):
        shown = told(site, f"{page}?cost=2&more=")["found"]["value"]
        known = site.get(f"{route}?cost_per_label=2")
        assert shown["forecast"] == known["forecast"]
        assert [(row["lane"], row["violating"], row["lift"]) for row in shown["lanes"]] == [
            (row["lane"], row["violating"], row["lift"]) for row in known["lanes"]
        ]
    assert "2.00" not in desk.get("/console/rounds/yield").text
    assert "Saved labels" in desk.get("/console/rounds/yield").text
    assert "Saved money" in desk.get("/console/rounds/yield?cost=2").text
    assert desk.get(f"/console/rounds/{CLOSED}/yield?chart=shares&as=png").content.startswith(b"\x89PNG")


def test_a_dry_run_tells_what_the_preview_tells(site: Site, desk: Desk) -> None:
    rounds = len(site.goldfold.ledger.rounds.all())
    path = "/console/rounds/new?" + urlencode({**DESIGN, "round_id": "dry", "plan": "1"})
    value = told(site, path)["outlook"]["value"]
    body = {"round_id": "dry", "budget": 4, "policies": [HARM], "lanes": {"random": 0.5, "uncertain": 0.5}}
    shown = site.ask("POST", "/v1/rounds/preview", json=body).json()
    assert (value["minutes"], value["exposure"]) == tuple(
        shown["frame"]["estimate"][k] for k in ("minutes", "exposure")
    )
    assert (value["picks"], value["items_scored"]) == (4, shown["items_scored"])
    assert value["effective_n"] == pytest.approx(2)
    past = {row["lane"]: row for row in site.get("/v1/yield")["lanes"] if not row["policy"]}
    for row in value["lanes"]:
        figure, known = row["expected"]["violating"], past[row["lane"]]["violating"]
        assert figure["value"] == pytest.approx(known["value"] * row["picks"])
        assert (figure["n"], figure["high"]) == (known["n"], pytest.approx(known["high"] * row["picks"]))
        assert figure["licence"]
        assert figure["golden_version"] == "1.0.0"
    assert (value["past_rounds"], value["origin"]["golden_version"]) == (1, "1.0.0")
    (uncertain,) = [row for row in value["lanes"] if row["lane"] == "uncertain"]
    lift = past["uncertain"]["lift"]["lift"]["value"]
    saved = uncertain["expected"]["saved_labels"]["value"]
    assert saved == (None if lift is None else pytest.approx(uncertain["picks"] * (lift - 1)))
    page = desk.get(path).text
    assert "Start this round" in page
    assert 'name="budget" type="number" min="1" step="1" value="4"' in page
    assert len(site.goldfold.ledger.rounds.all()) == rounds
    costs = 'name="cost_decision_minutes" type="number" min="0" step="any" value="0.25"'
    assert costs in page
    assert '<option value="en" label="language: en">' in page
    first = desk.get("/console/rounds/new?budget=7")  # a name is given first: the seed comes from it
    assert first.status_code == 303
    assert re.search(r"budget=7&round_id=round-", first.headers["location"])


@pytest.mark.parametrize(
    ("changes", "says", "field"),
    [
        ({"budget": "0"}, "budget: ", "budget"),
        ({"overlap": "many"}, "overlap: ", "overlap"),
        ({"lane_random": "x"}, "lane_random: ", "lane_random"),
        ({"cost_decision_minutes": "x"}, "cost_decision_minutes: ", "cost_decision_minutes"),
        ({"lane_random": "0.7"}, "lanes: shares add up to 1.2", ""),
        ({"quota_key": "policy", "quota_value": "nonsense", "quota_at_least": "1"}, "nonsense", ""),
    ],
)
def test_what_is_wrong_is_named_and_what_was_typed_stays(
    desk: Desk, changes: dict[str, str], says: str, field: str
) -> None:
    design = {**DESIGN, "round_id": "wrong", **changes}
    answer = desk.get("/console/rounds/new?" + urlencode({**design, "plan": "1"}))
    assert answer.status_code == 422
    assert says in unescape(answer.text)
    assert 'value="0.5"' in answer.text
    assert (f'id="{field}"' in answer.text and 'aria-invalid="true"' in answer.text) if field else True
    sent = desk.post("/console/rounds/new", "/console/rounds", design=urlencode(design))
    assert sent.status_code == 422
    assert says in unescape(sent.text)


def test_what_stands_in_the_form_is_left_to_the_settings(site: Site, desk: Desk) -> None:
    form = unescape(desk.get("/console/rounds/new?round_id=standing").text)
    names = re.findall(
        r'name="((?:lane|cost)_\w+|budget|overlap|assisted\w*)" type="number"[^>]* value="([^"]*)"', form
    )
    given = Design({name: [value] for name, value in names}, dict(names)).given()
    assert {name for name, value in names if value} == {name for name, _ in names}
    plain = Design({}).given()
    assert given | {"round_id": ""} == plain | {"round_id": ""}
    assert Design({"lane_random": ["1"], "lane_risk": ["0"]}, dict(names)).given()["lanes"] == {"random": 1.0}


def test_a_design_starts_a_job_and_its_round_can_be_ended(
    site: Site, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "project", lambda *_: 1)
    monkeypatch.setattr(steps, "push", lambda *_, **__: {"sent": 2, "left": 0, "quarantined": 0})
    design = urlencode({**DESIGN, "round_id": "from-console", "budget": "2"})
    assert desk.post("/console/rounds/new", design=design).status_code == 403
    sent = desk.post("/console/rounds/new", "/console/rounds", design=design)
    assert sent.headers["location"] == "/console/rounds/from-console"
    events = desk.get("/console/rounds/from-console/events").text.replace("\r\n", "\n")
    assert events.startswith("event: progress\ndata: ")
    assert "event: end\n" in events
    assert site.service.jobs.result("from-console")["picks"] == 2
    assert desk.get("/console/rounds/from-console").status_code == 200
    path = "/console/rounds/from-console/cancel"
    assert "2 open tasks would be withdrawn" in desk.get(path).text
    assert desk.post(path).status_code == 403
    assert sign_in(site, Role.VIEWER).get(path).status_code == 403
    assert desk.post(path, path).headers["location"] == "/console/rounds/from-console"
    assert str(site.goldfold.ledger.rounds.get("from-console").state) == "cancelled"
    assert desk.get(path).status_code == 409


def test_annotators_see_no_round(site: Site) -> None:
    for path in (
        "/console/rounds",
        f"/console/rounds/{OPEN}",
        f"/console/rounds/{OPEN}/events",
        "/console/rounds/yield",
    ):
        assert call(site.app, "GET", path, key=site.keys[Role.ANNOTATOR]).status_code == 403
    assert call(site.app, "GET", "/console/rounds/new", key=site.keys[Role.VIEWER]).status_code == 403
