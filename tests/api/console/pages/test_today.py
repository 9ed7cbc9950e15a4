"""Today: the numbers of the rooms that own them, counts of people, and a day's sample from its cost to its draw."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.auth import Role
from api.console.kept import Kept
from api.console.pages.today_cards import cards_of
from api.jobs.errors import JobFailed
from labeling.errors import NothingToDo
from labeling.records import RoundState
from tests.api.client import call
from tests.api.console.conftest import Console
from tests.api.console.floor import BAD_DAY, PEOPLE
from tests.api.console.seeded import OPEN_DAY, QA_DAYS

PATH = "/console/today"
TODAY = datetime.now(UTC).date()
YESTERDAY = (TODAY - timedelta(days=1)).isoformat()


def told(console: Console, name: str) -> Any:
    found = console.settled(PATH)[name]
    assert found["error"] is None
    return found["value"]


def asked(console: Console, path: str) -> Any:
    """What the REST route says."""
    answer = call(console.app, "GET", path, key=console.keys[Role.LEAD])
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_qa_that_is_due_that_waits_and_that_breaches(lived: Console) -> None:
    qa = told(lived, "qa")
    back = {(TODAY - timedelta(days=n)).isoformat(): n for n in range(1, 8)}
    assert {back[one["day"]] for one in qa["due"]} == set(range(1, 8)) - {*QA_DAYS, OPEN_DAY}
    (open_,) = [one for one in qa["open"] if back[one["day"]] == OPEN_DAY]
    assert open_["waiting"] == asked(lived, f"/v1/qa?day={open_['day']}")["waiting"] > 0
    (breach,) = [one for one in qa["breaches"] if one["state"] == "below target"]
    assert (breach["project"], back[breach["day"]]) == ("chat", BAD_DAY)
    (project,) = [one for one in asked(lived, f"/v1/qa?day={breach['day']}")["projects"] if one["project"] == "chat"]
    assert breach["accuracy"] == project["accuracy"]
    page = lived.get(PATH).text
    assert f"{100 * project['accuracy']['value']:.1f} %" in page
    assert "/v1/qa/items%3Fday" in page  # its items
    assert f"/console/quality?day={breach['day']}&amp;project=chat" in page
    desk = lived.get(f"/console/quality/causes/new?title=t&project=chat&origin=qa:{breach['day']}:chat").text
    assert all(f'value="{given}"' in desk for given in ("t", f"qa:{breach['day']}:chat"))
    assert f"/console/quality/causes/new?title=chat%20is%20below%20target%20on%20{breach['day']}" in page


def test_cards_stand_by_how_urgent_they_are_and_are_counted_first(lived: Console) -> None:
    found = lived.settled(PATH)
    levels = [card["level"] for card in found["cards"]]
    assert len(levels) == 9
    assert levels == sorted(levels, key=("bad", "warn", "quiet").index)
    assert {level: levels.count(level) for level in ("bad", "warn", "quiet")} | {"busy": 0} == found["counts"]
    urgent = {card["card_id"] for card in found["cards"] if card["level"] == "bad"}
    assert urgent == {"breaches", "alarm", "exposure", "disputes"}
    page = lived.get(PATH).text
    assert f'href="#bad"><strong>{len(urgent)}</strong> urgent' in page
    assert all(page.count(f'id="{card["card_id"]}"') == 1 for card in found["cards"])
    assert page.count("As of") == 1
    assert found["as_of"] == min(found[name]["at"] for name in ("qa", "people", "gold", "alarm", "trends"))


def test_what_cannot_be_had_is_to_do_and_what_is_on_its_way_is_said() -> None:
    parts: dict[str, Kept[Any]] = {name: Kept(None, error=NothingToDo("no lake")) for name in ("qa", "people", "gold")}
    cards = cards_of({**parts, "alarm": Kept(None), "trends": Kept(None), "jobs": Kept({"running": [], "failed": []})})
    assert [card.level for card in cards] == ["warn"] * 6 + ["busy"] * 2 + ["quiet"]
    assert cards[0].line == "is not there yet: no lake"


def test_a_failed_job_goes_on_where_it_failed(lived: Console) -> None:
    """There is no Label Studio that it could reach, so it fails again."""
    jobs = lived.app.state.service.jobs
    jobs.submit("sync", "sync-9", {"full": False})
    with pytest.raises(JobFailed):
        jobs.result("sync-9")
    page = lived.get(PATH).text
    assert "studio_token is not set" in page
    assert f'action="{PATH}/jobs/sync-9"' in page
    assert lived.post(f"{PATH}/jobs/sync-9", {}, csrf="no").status_code == 403
    assert lived.post(f"{PATH}/jobs/sync-9", {}).status_code == 303
    assert lived.goldfold.ledger.audit.latest(1)[0]["action"] == "job.again"
    with pytest.raises(JobFailed):
        jobs.result("sync-9")
    assert lived.post(f"{PATH}/jobs/nobody", {}).status_code == 404


def test_alarms_stale_gold_disputes_and_trends_are_those_of_their_rooms(lived: Console) -> None:
    assert told(lived, "alarm")["alarms"] == asked(lived, "/v1/signals/alarm")["alarms"] == ["", "forum"]
    gold = told(lived, "gold")
    (stale,) = gold["stale"]
    assert (stale["policy"], stale["stale"]) == (
        "violence",
        next(one for one in asked(lived, "/v1/policies") if one["policy"] == "violence")["stale"],
    )
    assert gold["adjudications"]["late"] == 1
    assert 5.9 < gold["adjudications"]["oldest_days"] < 6.5
    trends = told(lived, "trends")
    assert trends["open"] == len(asked(lived, "/v1/trends"))
    scores = [one["body"]["score"] for one in trends["alerts"]]
    assert scores == sorted(scores, reverse=True)
    page = lived.get(PATH).text
    assert f'/console/trends/{trends["alerts"][0]["alert_id"]}">{trends["alerts"][0]["title"]}<' in page
    task = lived.goldfold.ledger.tasks.get(gold["adjudications"]["policies"][0]["oldest_task"])
    assert f"/data?task={task.studio_task_id}" in page


def test_people_are_counted_and_never_named(lived: Console) -> None:
    people = told(lived, "people")
    roster = asked(lived, "/v1/roster")
    assert people["exposure"] == {
        "people": len(PEOPLE),
        "over": sum(row["spent"] > row["cap"] for row in roster),
        "paused": 0,
    }
    assert people["exposure"]["over"] == 1
    assert people["injections"]["flagged"] == len(asked(lived, "/v1/injections")["flagged"]) == 1
    page = lived.get(PATH).text
    assert "cannot be told yet" in page  # nothing was looked at again
    assert not [name for name in PEOPLE if f"{name}@example.org" in page]


def test_an_empty_site_is_told_what_to_do(bare: Console) -> None:
    page = bare.get(PATH).text
    for cure in ("goldfold decisions import", "goldfold roster add", "injection_rate"):
        assert cure in page
    assert "not there yet" not in page


def test_a_sample_is_shown_with_its_cost_before_it_is_drawn(lived: Console) -> None:
    before = lived.goldfold.ledger.decisions.days()
    preview = lived.settled(f"{PATH}/qa?day={YESTERDAY}&budget=20")["preview"]["value"]
    assert (preview["dry_run"], preview["sampled"]) == (True, 20)
    assert lived.goldfold.ledger.decisions.days() == before
    assert "Draw it, and ask" in lived.get(f"{PATH}/qa?day={YESTERDAY}&budget=20").text
    answer = lived.post(f"{PATH}/qa", {"day": YESTERDAY, "budget": "20"})
    assert (answer.status_code, answer.headers["location"]) == (303, PATH)
    assert lived.goldfold.ledger.decisions.days()[-1].day == YESTERDAY
    (round_,) = [one for one in lived.goldfold.ledger.rounds.all() if one.round_id.startswith(f"qa-{YESTERDAY}")]
    assert round_.state is RoundState.OPEN
    assert lived.goldfold.ledger.audit.latest(1)[0]["action"] == "qa.sample"
    assert YESTERDAY not in {one["day"] for one in told(lived, "qa")["due"]}


def test_what_cannot_be_drawn_is_said(lived: Console) -> None:
    assert "is not over yet" in lived.get(f"{PATH}/qa?day={TODAY.isoformat()}").text
    assert lived.get(f"{PATH}/qa?day={YESTERDAY}&budget=0").status_code == 422
    answer = lived.post(f"{PATH}/qa", {"day": "soon"})
    assert answer.status_code == 422
    assert "write it as 2026-01-31" in answer.text
    answer = lived.post(f"{PATH}/qa", {"day": YESTERDAY, "budget": "0"})
    assert (answer.status_code, "budget" in answer.text) == (422, True)
