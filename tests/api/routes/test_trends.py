from __future__ import annotations

from api.auth import Role
from tests.api.cli.test_trends import stock
from tests.api.client import assert_problem
from tests.api.routes.conftest import Site
from tests.api.site import HARM
from tests.figures import assert_whole
from tests.labeling.insights.lake_traffic import day_of

PATH = "/v1/trends"


def test_from_a_day_to_an_alert_to_a_round(site: Site) -> None:
    stock(site.goldfold)
    assert site.get(PATH) == []
    started = site.ask("POST", PATH, json={"day": day_of(34).isoformat()})
    assert started.status_code == 202, started.text
    done = site.service.jobs.result(started.json()["job_id"])
    assert done["lasting"] >= 1
    (alert,) = [one for one in site.get(PATH) if one["body"]["kind"] == "theme"]
    assert "words" not in alert
    (volume,) = assert_whole(alert)
    page = site.get(f"{volume['items']}?limit=20")
    rest = site.get(f"{volume['items']}?after={page['next']}")
    named = {one["item_id"] for one in (*page["items"], *rest["items"])}
    assert named == {f"i-{day}-{n}" for day in (32, 33, 34) for n in range(25, 35)}
    assert_problem(site.ask("GET", f"{PATH}/nobody/items"), 404, "nobody")
    assert "melon" in site.ask("GET", f"{PATH}/words", Role.LEAD).json()[alert["alert_id"]]
    assert_problem(site.ask("GET", f"{PATH}/words"), 403, "lead")
    watched = site.ask("POST", f"{PATH}/{alert['alert_id']}/watch", Role.LEAD, json={"policy": HARM, "budget": 3})
    assert (watched.status_code, watched.json()["picks"]) == (200, 3)
    assert_problem(site.ask("POST", f"{PATH}/nobody/watch", Role.LEAD, json={}), 404, "nobody")
