"""Decisions and daily QA over HTTP: who may, the same numbers as the command line, and links that lead somewhere."""

from __future__ import annotations

from typing import Any

from api.auth import Role
from tests.api.client import assert_problem
from tests.api.routes.conftest import Site
from tests.api.site import HARM, stock
from tests.figures import assert_whole

DAY = "2026-02-28"


def rows(count: int) -> list[dict[str, Any]]:
    bad = {"outcome": "violates", "rule": "general"}
    return [
        {
            "decision_id": f"d-{n}",
            "source": "human",
            "who": "mod-17",
            "item": f"post-{n}",
            "policy": HARM,
            "decided_at": f"{DAY}T12:00:{n:02}Z",
            "project": "forum",
            **(bad if n % 2 else {"outcome": "ok"}),
        }
        for n in range(count)
    ]


def test_from_a_batch_of_decisions_to_a_report(site: Site) -> None:
    stock(site.goldfold, 10)
    added = site.ask("POST", "/v1/decisions", json={"decisions": rows(10)})
    assert (added.status_code, added.json()["added"]) == (201, 10)
    assert site.ask("POST", "/v1/decisions", json={"decisions": rows(10)}).json()["already_there"] == 10
    bad = [{**rows(1)[0], "outcome": "violates"}, {**rows(1)[0], "decision_id": "x", "item": "nobody"}]
    told = assert_problem(site.ask("POST", "/v1/decisions", json={"decisions": bad}), 422)
    assert [problem.split(":")[1] for problem in told["problems"]] == [" decision_id", " item"]

    (day,) = site.get(f"/v1/decisions/days?until={DAY}&days=1", Role.VIEWER)
    assert (day["decisions"], day["sampled"]) == (10, False)
    assert_problem(site.ask("GET", f"/v1/qa?day={DAY}"), 404, "goldfold qa sample")
    given = {"day": DAY, "budget": 6}
    dry = site.ask("POST", "/v1/qa", Role.LEAD, json={**given, "dry_run": True}).json()
    made = site.ask("POST", "/v1/qa", Role.LEAD, json=given).json()
    assert dry == {**made, "dry_run": True}
    assert (made["sampled"], made["rounds"]) == (6, [f"qa-{DAY}-{HARM}-1.0.0"])
    report = site.get(f"/v1/qa?day={DAY}", Role.VIEWER)
    (project,) = report["projects"]
    assert (project["waiting"], project["accuracy"]["licence"][:4]) == (6, "none")
    assert_whole(report, 5)
    assert site.get(project["accuracy"]["items"], Role.LEAD) == {"items": [], "count": 0, "next": None, "withheld": 0}
    behind = site.get(f"/v1/qa/decisions?day={DAY}&project=forum", Role.LEAD)
    assert {one["verdict"] for one in behind} == {"waiting"}
    assert "mod-17" not in str(behind) + str(report)
    asked = f"/v1/qa/items?day={DAY}&project=forum&verdict=waiting&limit=4"
    first = site.get(asked, Role.LEAD)
    rest = site.get(f"{asked}&after={first['next']}", Role.LEAD)
    assert (first["count"], len(first["items"]), len(rest["items"]), rest["next"]) == (6, 4, 2, None)
    named = [one["item_id"] for one in (*first["items"], *rest["items"])]
    assert named == sorted({one["item_id"] for one in behind})
    assert {one["external_id"] for one in first["items"]} <= {f"post-{n}" for n in range(10)}
    assert site.get(asked.replace("forum", "shop"), Role.LEAD)["count"] == 0
    assert_problem(site.ask("GET", "/v1/qa/items?verdict=fine", Role.LEAD), 422, "is none of judged, violating")
    assert_problem(site.ask("GET", "/v1/qa/items?day=2026-02-01", Role.LEAD), 404, "was not sampled yet")
    assert_problem(site.ask("GET", "/v1/qa?day=soon"), 422, "write it as 2026-01-31")


def test_who_decided_is_for_leads(site: Site) -> None:
    stock(site.goldfold, 4)
    site.ask("POST", "/v1/decisions", json={"decisions": rows(4)})
    first = site.get("/v1/decisions?limit=3&project=forum", Role.LEAD)
    rest = site.get("/v1/decisions?after=human/d-2", Role.LEAD)
    assert [one["decision_id"] for one in (*first, *rest)] == ["d-0", "d-1", "d-2", "d-3"]
    assert_problem(site.ask("GET", "/v1/decisions?after=human/x", Role.LEAD), 404, "no decision that is known")
    assert first[0]["who"] == "mod-17"
    changed = site.ask("POST", "/v1/decisions/people", Role.LEAD, json={"who": "mod-17", "to": ""})
    assert changed.json() == {"decisions": 4}
    for method, path in (
        ("GET", "/v1/decisions"),
        ("GET", "/v1/qa/decisions"),
        ("GET", "/v1/qa/items"),
        ("POST", "/v1/qa"),
    ):
        site.refused(method, path, Role.LEAD, json={})
