"""Signals, interception and changes of a KPI over HTTP: who may, and the same answers as the use cases."""

from __future__ import annotations

from typing import Any

from api.auth import Role
from tests.api.client import assert_problem
from tests.api.routes.conftest import Site
from tests.api.routes.test_qa import DAY, rows
from tests.api.site import HARM, stock
from tests.figures import assert_whole


def appeals(count: int, outcome: str = "pending") -> list[dict[str, Any]]:
    return [
        {
            "signal_id": f"a-{n}",
            "kind": "appeal",
            "item": f"post-{n}",
            "policy": HARM,
            "project": "forum",
            "at": f"{DAY}T13:00:{n:02}Z",
            "outcome": outcome,
            "decision": f"human/d-{n}",
        }
        for n in range(count)
    ]


def test_from_a_batch_of_signals_to_a_ticket(site: Site) -> None:
    stock(site.goldfold, 10)
    site.ask("POST", "/v1/decisions", json={"decisions": rows(10)})
    added = site.ask("POST", "/v1/signals", json={"signals": appeals(4)})
    assert (added.status_code, added.json()["added"]) == (201, 4)
    again = site.ask("POST", "/v1/signals", json={"signals": appeals(2, "overturned")}).json()
    assert (again["settled"], again["added"]) == (2, 0)
    bad = [{**appeals(1)[0], "signal_id": "x", "item": "nobody"}]
    told = assert_problem(site.ask("POST", "/v1/signals", json={"signals": bad}), 422)
    assert told["problems"][0].startswith("row 1: item: no item has that external_id")
    (day,) = site.get(f"/v1/signals?until={DAY}&days=1", Role.VIEWER)
    assert {one["outcome"]: one["signals"] for one in day["by"]} == {"pending": 2, "overturned": 2}

    alarm = site.get(f"/v1/signals/alarm?until={DAY}&weeks=1", Role.LEAD)
    assert (alarm["alarms"], alarm["projects"][0]["state"]) == ([], "insufficient")
    assert_whole(alarm, 6)
    overturns = alarm["projects"][-1]["overturns"]
    assert (overturns["n"], site.get(overturns["items"], Role.LEAD)["count"]) == (2, 2)
    (one,) = site.get(f"/v1/interception?until={DAY}&wanted=0.8", Role.LEAD)["slices"]
    stages = {stage["stage"]: stage["items"] for stage in one["stages"]}
    assert (stages["human"], stages["appeal"], one["restored"]) == (4, 1, 1)
    assert one["recall"]["items"]["licence"].startswith("none")
    assert_whole(one, 2)
    assert site.get(one["recall"]["items"]["items"], Role.LEAD)["count"] == 0
    left = one["missed"]["items"].replace("kind=missed", "kind=left+up")
    assert site.get(left, Role.LEAD)["count"] == one["left_up"] == 5
    assert_problem(site.ask("GET", left.replace("left+up", "lost"), Role.LEAD), 422, "is none of audited, missed")
    given = {"policy": HARM, "severity": one["severity"], "until": DAY}
    made = site.ask("POST", "/v1/interception/tickets", Role.LEAD, json=given)
    assert made.status_code == 201
    assert made.json()["origin"] == f"interception:{HARM}:S{one['severity']}:{DAY}"
    assert_problem(site.ask("POST", "/v1/interception/tickets", Role.LEAD, json=given), 409, "is told by finding")
    assert_problem(site.ask("GET", f"/v1/kpi/change?until={DAY}", Role.LEAD), 409, "judged decisions in both periods")
    assert_problem(site.ask("GET", "/v1/kpi/change?before=2026-01-01", Role.LEAD), 422, "before and after")
    wrong = "/v1/kpi/change?before=soon&after=2026-01-01"
    assert_problem(site.ask("GET", wrong, Role.LEAD), 422, "before: 'soon' is no period")
    series = site.get(f"/v1/kpi/series?until={DAY}&weeks=2", Role.LEAD)
    assert [week["to"] for week in series["weeks"]][-1] == DAY
    assert_whole(series, 2)
    assert site.get(series["weeks"][-1]["accuracy"]["items"], Role.LEAD)["count"] == 0
    behind = f"/v1/kpi/items?old={DAY}&new={DAY}&project=forum"
    assert site.get(behind, Role.LEAD)["count"] == 0
    for path in (left, behind, overturns["items"]):
        site.refused("GET", path, Role.LEAD)
    for method, path in (("GET", "/v1/interception"), ("POST", "/v1/interception/tickets"), ("GET", "/v1/kpi/series")):
        site.refused(method, path, Role.LEAD, json={})
