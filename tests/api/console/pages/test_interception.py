from __future__ import annotations

import csv
import html
import io
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from api.auth import Role
from api.console.formats import policy
from api.console.pages.interception import _bare, _recall
from tests.api.client import call
from tests.api.console.conftest import Console, opened
from tests.api.routes.test_qa import DAY, rows
from tests.api.routes.test_signals import appeals
from tests.api.site import HARM, WordGoldfold, settings, stock

HOME = "/console/interception"
FIGURE = {"value": 0.9, "low": 0.8, "high": 0.95, "floor": 0.7}
ASKED = f"{HOME}?until={DAY}&weeks=1&wanted=0.8"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A site with decisions, and appeals of which two were granted."""
    goldfold = WordGoldfold(settings(tmp_path_factory.mktemp("interception")))
    stock(goldfold, 40)
    with opened(goldfold) as console:
        for path, body in (
            ("/v1/decisions", {"decisions": rows(40)}),
            ("/v1/signals", {"signals": [*appeals(36, "upheld")[2:], *appeals(2, "overturned")]}),
        ):
            told = call(console.app, "POST", path, key=console.keys[Role.ENGINEER], json=body)
            assert told.status_code == 201, told.text
        yield console


def api(site: Console, path: str) -> Any:
    return call(site.app, "GET", path, key=site.keys[Role.LEAD]).json()


def test_stages_and_recall_stand_as_the_api_tells_them(site: Console) -> None:
    told = site.json(ASKED)
    assert told["interception"]["value"] == api(site, f"/v1/interception?until={DAY}&weeks=1&wanted=0.8")
    assert told["alarm"]["value"] == api(site, f"/v1/signals/alarm?until={DAY}&weeks=1")
    page = site.get(ASKED).text
    assert f"{policy(HARM)} S" in page
    assert "none: nothing of" in page  # no figure without its audit, and why
    (one,) = told["interception"]["value"]["slices"]
    stages = {stage["stage"]: stage for stage in one["stages"]}
    for unit in ("items", "views"):
        answer = site.get(f"{ASKED}&chart=stages-{unit}&as=csv").text
        drawn = {row[0]: int(row[2]) for row in list(csv.reader(io.StringIO(answer)))[1:]}
        assert {name: stages[name][unit] for name in stages} == {n: v for n, v in drawn.items() if n != "left up"}
    assert site.get(f"{ASKED}&chart=recall").status_code == 404  # nothing was audited: there is nothing to draw
    drawn_recall = _recall([{"policy": "p", "severity": 3, "recall": {"items": FIGURE, "views": FIGURE}}])
    assert [(each.y, each.low) for each in drawn_recall.series] == [([0.9], [0.8]), ([0.9], [0.8]), ([0.7], ())]


def test_counts_lead_to_their_items(site: Console) -> None:
    told = site.json(ASKED)["interception"]["value"]
    (one,) = told["slices"]
    page = html.unescape(site.get(ASKED).text)
    counts = {stage["stage"]: stage["items"] for stage in one["stages"]}
    counts |= {"left up": one["left_up"], "decided": one["decided"], "not sampled": one["unsampled"]}
    for kind, count in counts.items():
        address = f"/v1/interception/items?first={told['from']}&last={told['to']}&policy={HARM}"
        address += f"&severity={one['severity']}&kind={quote(kind)}"
        assert (f"of={quote(address)}" in page) == bool(count)
        assert api(site, f"{address}&limit=1000")["count"] == count


def test_both_series_of_the_alarm_stand_in_one_chart(site: Console) -> None:
    told = api(site, f"/v1/signals/overturns?until={DAY}&weeks=2")
    assert [week["overturned"]["n"] for week in told] == [0, 36]
    assert (told[-1]["overturned"]["events"], told[0]["overturned"]["value"]) == (2, None)
    rows_ = list(csv.reader(io.StringIO(site.get(f"{ASKED}&chart=common-mode&as=csv").text)))[1:]
    series = {name: [row for row in rows_ if row[0] == name] for name in {row[0] for row in rows_}}
    assert set(series) == {"internal QA: accuracy", "appeals: overturned"}
    drawn = series["appeals: overturned"]
    figure = told[-1]["overturned"]
    assert [row[1] for row in drawn] == [week["from"] for week in told]
    assert [float(cell) for cell in drawn[-1][2:6]] == [figure[name] for name in ("value", "low", "high", "n")]
    assert drawn[0][2:6] == ["", "", "", "0"]


def test_viewers_see_figures_and_no_items(site: Console) -> None:
    told = site.json(ASKED, Role.VIEWER)
    whole = site.json(ASKED)
    assert told["interception"]["value"]["slices"][0]["recall"]["items"]["n"] == 0
    assert told["interception"]["value"] == _bare(whole["interception"]["value"])
    assert "missed_items" not in str(told)
    assert "overturned_items" not in str(told)
    page = site.get(ASKED, Role.VIEWER).text
    assert "/v1/qa/decisions" not in page
    assert "Open a ticket" not in page
    assert _bare(
        {"items": {"n": 3, "items": "/v1/x"}, "s": [{"items": 4, "missed": {"count": 1, "items": "/v1/y"}}]}
    ) == {
        "items": {"n": 3},
        "s": [{"items": 4, "missed": {"count": 1}}],
    }


def test_a_ticket_goes_to_the_desk_and_stands_here(site: Console) -> None:
    (one,) = site.json(ASKED)["interception"]["value"]["slices"]
    form = {"policy": HARM, "severity": str(one["severity"]), "until": DAY, "weeks": "1"}
    path = f"{HOME}/tickets"
    assert "No ticket came from here" in site.get(ASKED).text
    assert site.post(path, form, csrf="no").status_code == 403
    assert site.post(path, form, Role.ENGINEER).status_code == 403
    where = site.post(path, form).headers["location"]
    assert site.post(path, form).status_code == 409  # it is there
    (ticket,) = site.json(ASKED)["tickets"]
    assert ticket["title"] == f"{HARM} (S{one['severity']}) gets through"
    assert where == f"/console/quality/causes/{ticket['finding_id']}"
    assert f'href="{where}">{ticket["title"]}<' in site.get(ASKED).text
    assert "nothing agreed yet" in site.get(ASKED).text
    body = {"what": "write the guide anew", "owner": "ann", "kpi": "recall", "target": 0.9, "due": "2030-01-31"}
    made = call(site.app, "POST", f"/v1/findings/{ticket['finding_id']}/actions", key=site.keys[Role.LEAD], json=body)
    assert made.status_code == 201, made.text
    assert site.json(ASKED)["tickets"][0]["actions"][0]["before"] == made.json()["before"]
    assert "not measured yet" in site.get(ASKED).text


def test_where_there_is_nothing_the_pages_say_what_to_do(site: Console) -> None:
    assert "goldfold decisions import" in site.get(f"{HOME}?until=2001-01-31").text
    assert site.get(f"{HOME}?weeks=0").status_code == 422
    assert "Nothing stands out" in site.get("/console/trends").text
    assert "run the score job first" in site.get("/console/trends/coverage").text
