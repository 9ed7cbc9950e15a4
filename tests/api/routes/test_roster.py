from __future__ import annotations

from dataclasses import replace

from api.auth import Role
from labeling.records import TaskKind
from tests.api.client import assert_problem
from tests.api.routes.conftest import Site
from tests.api.site import score_all, select, stock

PATH = "/v1/roster"
ANA = "ana@example.org"


def test_a_lead_keeps_the_roster(site: Site) -> None:
    made = site.ask(
        "POST", PATH, Role.LEAD, json={"email": "Ana@example.org", "languages": ["pt"], "daily_exposure": 9}
    )
    assert (made.status_code, made.json()["email"], made.json()["desk"]) == (201, ANA, 1)
    assert_problem(site.ask("POST", PATH, Role.LEAD, json={"email": ANA}), 409, "on the roster already")
    changed = site.ask("PATCH", f"{PATH}/{ANA}", Role.LEAD, json={"daily_exposure": None, "opt_outs": ["hate_speech"]})
    assert (changed.json()["daily_exposure"], changed.json()["opt_outs"]) == (None, ["hate_speech"])
    assert changed.json()["languages"] == ["pt"]
    paused = site.ask("POST", f"{PATH}/{ANA}/pause", Role.LEAD, json={"reason": "on leave"}).json()
    assert (paused["paused"], paused["paused_reason"]) == (True, "on leave")
    assert site.ask("POST", f"{PATH}/{ANA}/resume", Role.LEAD).json()["paused"] is False
    (row,) = site.get(PATH, Role.LEAD)
    assert (row["spent"], row["cap"], row["row_limit"]) == (0.0, 240.0, 5)
    assert_problem(site.ask("PATCH", f"{PATH}/{ANA}", Role.LEAD, json={"languages": ["p t"]}), 422, "languages")
    assert_problem(site.ask("PATCH", f"{PATH}/{ANA}", Role.LEAD, json={}), 422, "nothing to change")
    assert_problem(site.ask("POST", f"{PATH}/nobody/resume", Role.LEAD), 404, "nobody")


def test_nobody_below_a_lead_sees_people(site: Site) -> None:
    site.refused("GET", PATH, Role.LEAD)
    site.refused("POST", PATH, Role.LEAD, json={"email": ANA})
    site.refused("PATCH", f"{PATH}/{ANA}", Role.LEAD, json={})
    site.refused("POST", f"{PATH}/{ANA}/pause", Role.LEAD, json={})
    site.refused("POST", f"{PATH}/{ANA}/resume", Role.LEAD)
    site.refused("GET", "/v1/injections", Role.LEAD)


def test_injections_are_told_to_leads_and_are_no_tasks(site: Site) -> None:
    stock(site.goldfold)
    score_all(site.goldfold)
    select(site.goldfold)
    tasks = site.goldfold.ledger.tasks
    like = tasks.where()[0]
    hidden = replace(like, task_id="hidden", kind=TaskKind.INJECTION, assignee=ANA, position=1)
    tasks.add([hidden])
    assert "hidden" not in {task["task_id"] for task in site.get("/v1/tasks")}
    assert site.get("/v1/tasks?kind=injection") == []
    assert_problem(site.ask("GET", "/v1/tasks/hidden"), 404, "hidden")
    assert_problem(site.ask("GET", "/v1/tasks/hidden/annotations", Role.LEAD), 404, "hidden")
    assert site.get("/v1/injections", Role.LEAD)["given"] == 0
