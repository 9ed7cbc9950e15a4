from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import pytest

from api.auth import Role
from api.trends import judge_day
from tests.api.cli.test_trends import stock
from tests.api.client import call
from tests.api.console.conftest import Console, opened
from tests.api.site import HARM, WordGoldfold, score_all, settings
from tests.labeling.insights.lake_traffic import day_of

HOME, COVERAGE = "/console/trends", "/console/trends/coverage"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A site whose traffic has something new in it."""
    goldfold = WordGoldfold(settings(tmp_path_factory.mktemp("trends")))
    stock(goldfold)
    judge_day(goldfold, day_of(34))
    score_all(goldfold)
    with opened(goldfold) as console:
        yield console


def api(site: Console, path: str, role: Role = Role.LEAD) -> Any:
    return call(site.app, "GET", path, key=site.keys[role]).json()


def theme(site: Console) -> dict[str, Any]:
    return next(one for one in site.json(HOME)["alerts"] if one["body"]["kind"] == "theme")


def test_alerts_stand_as_the_api_tells_them_the_highest_score_first(site: Console) -> None:
    told = site.json(HOME, Role.VIEWER)
    rest = {one["alert_id"]: one["body"] for one in api(site, "/v1/trends", Role.VIEWER)}
    assert {one["alert_id"]: one["body"] for one in told["alerts"]} == rest
    scores = [one["body"]["score"] for one in told["alerts"]]
    assert (scores, len(scores)) == (sorted(scores, reverse=True), told["open"])
    page = site.get(HOME, Role.VIEWER).text
    first = told["alerts"][0]
    assert f'{HOME}/{first["alert_id"]}">{first["title"]}<' in page
    rows = list(csv.reader(io.StringIO(site.get(f"{HOME}?chart=volume&as=csv").text)))
    assert [float(row[2]) for row in rows if row[0] == "seen"] == [one["body"]["count"] for one in told["alerts"]]
    assert len(site.json(f"{HOME}?limit=1")["alerts"]) == 1


def test_words_are_shown_to_leads_who_ask_and_that_is_noted(site: Console) -> None:
    alert_id = theme(site)["alert_id"]
    for path, form, target in ((HOME, {}, "trends"), (f"{HOME}/{alert_id}", {"show": "words"}, alert_id)):
        assert "melon" not in site.get(path).text
        assert site.json(path)["words"] is None
        assert site.post(path, form, Role.ENGINEER).status_code == 403
        assert site.post(path, form, csrf="no").status_code == 403
        assert "melon" in site.post(path, form).text
        last = site.goldfold.ledger.audit.latest(1)[0]
        assert (last["action"], last["target"]) == ("content.shown", target)
        assert "Show words" not in site.get(path, Role.VIEWER).text
    assert site.goldfold.ledger.rounds.all() == []


def test_an_alert_names_its_items_and_asks_people_after_a_dry_run(site: Console) -> None:
    alert = theme(site)
    path = f"{HOME}/{alert['alert_id']}"
    behind = site.goldfold.ledger.trends.get(alert["alert_id"]).item_ids
    told = site.json(path, Role.VIEWER)
    assert (told["count"], len(told["items"]), told["plan"]) == (len(behind), min(50, len(behind)), None)
    assert f"/console/items/{told['items'][0]}" in site.get(path).text
    seen = site.get(path, Role.VIEWER).text  # who may open no item is led to none
    assert (told["items"][0] in seen, "/console/items/" in seen) == (True, False)
    more = site.json(f"{path}?after={behind[0]}")["items"]
    assert more[0] == told["items"][1]
    assert site.get(f"{path}?after=nobody").status_code == 422
    assert site.get(f"{HOME}/nobody").status_code == 404
    dry = site.json(f"{path}?policy={HARM}&budget=3")["plan"]["value"]
    assert (dry["picks"], dry["people"], dry["policy"], dry["round_id"]) == (3, 2, HARM, "")
    assert dry["minutes"] > 0
    assert site.goldfold.ledger.rounds.all() == []
    form = {"policy": HARM, "budget": "3"}
    assert site.post(path, form, csrf="no").status_code == 403
    assert site.post(path, form, Role.ENGINEER).status_code == 403  # as the API asks
    answer = site.post(path, form)
    (made,) = site.goldfold.ledger.rounds.all()
    assert answer.headers["location"] == f"/console/rounds/{made.round_id}"
    assert made.plan["budget"] == dry["picks"]
    assert f"/console/rounds/{made.round_id}" in site.get(path).text


def test_coverage_stands_as_the_api_tells_it_and_leads_to_a_round(site: Console) -> None:
    assert site.get(COVERAGE, Role.ENGINEER).status_code == 403
    told = site.json(f"{COVERAGE}?policy={HARM}&sample=2000")["coverage"]["value"]
    assert told == api(site, f"/v1/coverage?policy={HARM}&sample=2000")
    cluster = told["clusters"][0]["cluster"]
    page = site.get(f"{COVERAGE}?policy={HARM}&sample=2000").text
    assert f"{COVERAGE}/{cluster}?policy={HARM}" in page
    assert "sample: must be one of" in site.get(f"{COVERAGE}?sample=7").text
    ladder = list(csv.reader(io.StringIO(site.get(f"{COVERAGE}?sample=2000&policy={HARM}&chart=ladder&as=csv").text)))
    assert [float(row[2]) for row in ladder[1:]] == [rung["value"] for rung in told["ladder"]]
    before = len(site.goldfold.ledger.rounds.all())
    plan = f"{COVERAGE}/{cluster}?policy={HARM}&budget=3"
    dry = site.json(plan)["plan"]["value"]
    assert (len(dry["picks"]), dry["dry_run"], len(site.goldfold.ledger.rounds.all())) == (3, True, before)
    page = site.get(plan).text
    assert "6 answers" in page
    assert page.count("dark in cluster") == 1  # what all picks have in common is said once
    form = {"policy": HARM, "budget": "3"}
    assert site.post(f"{COVERAGE}/{cluster}", form, Role.ENGINEER).status_code == 403
    assert site.post(f"{COVERAGE}/{cluster}", form).headers["location"] == f"/console/rounds/{dry['round_id']}"
    assert len(site.goldfold.ledger.rounds.all()) == before + 1
