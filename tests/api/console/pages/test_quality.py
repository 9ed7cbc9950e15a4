"""The room Quality over ASGI: the numbers of the API, people by name alone, codes that wait for each other."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from api import root_causes
from api.auth import Role
from api.console.page import asking
from api.console.pages import causes, kpis, patterns, quality, weekly
from labeling.cause_records import Finding
from labeling.insights.causes import Told
from tests.api.console.conftest import Console
from tests.api.console.pages.judged_site import DAY, asked, judged, numbers, page, send, sent, words

FINDING = {"title": "Quotes are removed", "statement": "Posts that quote are removed.", "slice.project": "forum"}
ACTION = {"what": "Add an example", "owner": "policy", "kpi": "accuracy", "target": "0.95", "due": "2026-12-01"}


@pytest.fixture(scope="module")
def console(gilded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """Decisions are in, their day is not sampled."""
    with judged(gilded, tmp_path_factory.mktemp("quality")) as made:
        text = "url: http://127.0.0.1:9\nmodel: m\nallow_content: true\nprivate: true\n"
        (made.goldfold.settings.judges_dir / "gpt.yaml").write_text(text)  # type: ignore[operator]
        yield made


@pytest.fixture(scope="module")
def drawn(console: Console) -> Console:
    """The same, sampled by the page as a lead does it."""
    given = {"day": DAY, "budget": "100"}
    dry = send(console, "/console/quality/sample", {**given, "dry_run": "true"})
    assert "Draw it and ask" in dry.text
    assert console.goldfold.ledger.decisions.days() == []
    assert sent(console, "/console/quality/sample", {**given, "dry_run": "false"}) == f"/console/quality?day={DAY}"
    assert len(console.goldfold.ledger.decisions.days()) == 1
    return console


def double(goldfold: Any, wanted: bool) -> str:
    """Open findings until one is, or is not, to be coded by two people."""
    while True:
        made: Finding = root_causes.open_(goldfold, Told(title="t", statement="s", slice={}), "somebody")
        if made.is_double_coded is wanted:
            return made.finding_id


def test_everything_is_for_leads() -> None:
    for room in (quality, kpis, patterns, causes, weekly):
        for route in room.router.routes:
            assert asking(Role.LEAD) in {one.call for one in route.dependant.dependencies}


def test_a_day_that_was_not_sampled_says_what_to_do(console: Console) -> None:
    said = page(console, "/console/quality?day=2020-01-01")
    assert "was not sampled yet" in said
    assert "See what it would ask" in said
    assert "goldfold decisions import" in said  # nothing was decided
    yesterday = (datetime.now(UTC).date() - timedelta(days=1)).isoformat()
    page(console, "/console/quality")
    said = console.get("/console/quality").text  # no day is sampled: yesterday
    assert f"{yesterday} was not sampled yet" in said
    assert (f'max="{yesterday}"' in said, 'rel="next"' in said) == (True, False)
    assert "write it as 2026-01-31" in console.get("/console/quality?day=soon").text


def test_a_day_tells_the_numbers_of_the_api_and_its_charts_too(drawn: Console) -> None:
    path = f"/console/quality?day={DAY}"
    said, told, report = page(drawn, path), numbers(drawn, path), asked(drawn, f"/v1/qa?day={DAY}")
    assert told["report"]["value"] == report
    first = report["projects"][0]["accuracy"]
    assert f"{100 * first['value']:.1f} % {100 * first['low']:.1f} % to" in said
    assert "mod-1" not in said
    rows = drawn.get(f"{path}&chart=accuracy&as=csv").text.splitlines()
    assert numbers(drawn, "/console/quality")["day"] == DAY  # the newest that was sampled
    strip = {one["day"]: one for one in told["days"]["value"]}
    assert (len(strip), strip[DAY]["waiting"], strip[DAY]["sampled"]) == (14, report["waiting"], True)
    name = report["projects"][0]["project"]
    one = drawn.get(f"{path}&project={name}").text
    assert f"/console/quality/causes/new?title={name}%20is%20" in one
    assert all(each["project"] == name or f"{each['project']}</a><br>" not in one for each in report["projects"])
    assert rows[1].split(",")[:3] == ["accuracy", report["projects"][0]["project"], str(first["value"])]


def test_people_stand_by_name_with_intervals_and_no_points(drawn: Console) -> None:
    told = numbers(drawn, "/console/quality/people")["found"]["value"]
    assert told == asked(drawn, "/v1/people")
    names = [one["person"] for one in told["people"]]
    assert names == sorted(names)
    assert all(one["parts"][0]["right"].get("value") is None for one in told["people"])
    rest = numbers(drawn, f"/console/quality/people?after={names[0]}")["found"]["value"]["people"]
    assert [one["person"] for one in rest] == names[1:]
    assert 'href="/console/quality/people" aria-current="page"' in drawn.get(f"/console/quality/people/{names[0]}").text
    assert "says violates" in page(drawn, f"/console/quality/people/{names[0]}")
    assert drawn.get("/console/quality/people/nobody").status_code == 404


def test_agreement_and_the_kpi_tell_the_numbers_of_the_api(drawn: Console) -> None:
    page(drawn, "/console/quality/agreement")
    told = numbers(drawn, "/console/quality/agreement")
    whole = asked(drawn, "/v1/agreement")
    assert told["found"]["value"] == whole
    assert [cell["policy"] for cell in told["cells"]] == ["", "hate_speech"]
    assert "general" in page(drawn, "/console/quality/agreement?policy=hate_speech")
    path = f"/console/quality/kpi?until={DAY}&weeks=3"
    said = page(drawn, path)
    assert numbers(drawn, path)["series"]["value"] == asked(drawn, f"/v1/kpi/series?until={DAY}&weeks=3")
    assert "no project has judged decisions in both periods" in said
    drawn_weeks = drawn.get(f"{path}&chart=series&as=csv").text
    assert (drawn_weeks.count("accuracy,"), drawn_weeks.count("target 95 %,")) == (3, 3)
    bare = [
        one["from"] for one in asked(drawn, f"/v1/kpi/series?until={DAY}&weeks=3")["weeks"] if not one["accuracy"]["n"]
    ]
    assert f"Too few judged decisions for a figure in the weeks from {', '.join(bare)}" in said


def test_patterns_are_cards_with_items_or_say_that_there_is_none(drawn: Console) -> None:
    said = page(drawn, "/console/quality/patterns")
    found = numbers(drawn, "/console/quality/patterns")["found"]["value"]
    whole = asked(drawn, "/v1/patterns")
    assert {**found, "patterns": whole["patterns"]} == {**whole, "count": len(whole["patterns"])}
    for one in whole["patterns"]:
        assert words(one["card"]["title"]) in said
        text = drawn.get(f"/console/quality/patterns/{one['id']}").text
        assert all(f"/console/items/{name}" in text for name in one["exemplars"])
        assert f"origin=pattern:{one['id']}" in text
        assert "Words that set it apart" not in text
        shown = send(drawn, f"/console/quality/patterns/{one['id']}", {})
        assert "Words that set it apart" in shown.text
        last = drawn.goldfold.ledger.audit.latest(1)[0]
        assert (last["action"], last["target"]) == ("content.shown", one["id"])
    if not whole["patterns"]:
        assert "No pattern stands now" in said
    assert drawn.get("/console/quality/patterns/nothing").status_code == 404


def test_the_second_coder_sees_no_code_and_no_draft_before_theirs_is_in(drawn: Console) -> None:
    path = f"/console/quality/causes/{double(drawn.goldfold, wanted=True)}"
    assert send(drawn, f"{path}/draft", {"endpoint": "gpt"}).status_code == 409
    assert sent(drawn, f"{path}/code", {"code": "P.gap", "note": "a word apart"}) == path
    first, second = (drawn.get(path, role).text for role in (Role.LEAD, Role.ADMIN))
    assert "Your code is in" in first
    for text in (first, second):
        assert "a word apart" not in text
        assert "Ask a chat service" not in text
    assert "The second code" in second
    assert send(drawn, f"{path}/draft", {"endpoint": "gpt"}, Role.ADMIN).status_code == 409
    assert send(drawn, f"{path}/code", {"code": "P.gap"}).status_code == 409
    sent(drawn, f"{path}/code", {"code": "G.order"}, Role.ADMIN)
    assert "a word apart" in drawn.get(path).text
    assert "The final code" in page(drawn, path, Role.ADMIN) or "Your code is in" in page(drawn, path, Role.ADMIN)
    told = numbers(drawn, "/console/quality/causes")
    assert told["agreement"]["value"] == asked(drawn, "/v1/findings/agreement")


def test_a_draft_is_asked_of_no_file_but_those_of_the_folder(drawn: Console) -> None:
    path = f"/console/quality/causes/{double(drawn.goldfold, wanted=False)}"
    assert "Ask a chat service" in drawn.get(path).text
    answer = send(drawn, f"{path}/draft", {"endpoint": "../secret.yaml"})
    assert answer.status_code == 422
    assert "in judges_dir (known: gpt)" in words(answer.text)


def test_from_a_finding_to_an_action_and_its_figures(drawn: Console) -> None:
    form = drawn.get("/console/quality/causes/new?title=Mind%20the%20quote&policy=hate_speech").text
    assert "Mind the quote" in form
    assert '<option value="hate_speech" selected>Hate speech</option>' in form
    assert '<option value="forum"></option>' in form  # of the decisions there are
    path = sent(drawn, "/console/quality/causes/new", FINDING)
    assert path.startswith("/console/quality/causes/fnd_")
    bad = send(drawn, "/console/quality/causes/new", {**FINDING, "slice.nothing": "x"})
    assert (bad.status_code, "&#39;nothing&#39; is unknown" in bad.text) == (422, True)
    assert sent(drawn, f"{path}/actions", ACTION) == path
    action = asked(drawn, path.replace("/console/quality/causes", "/v1/findings"))["actions"][0]
    assert action["slice"] == {"project": "forum"}
    assert f"{100 * action['before']['value']:.1f} %" in page(drawn, path)
    move = f"/console/quality/actions/{action['action_id']}"
    assert send(drawn, f"{move}/verify", {}).status_code == 409
    assert sent(drawn, f"{move}/done", {"reason": "in since Monday", "finding": path.rpartition("/")[2]}) == path
    assert sent(drawn, f"{move}/verify", {}) == "/console/quality/actions"
    assert "in since Monday" in page(drawn, "/console/quality/actions?state=done")
    sent(drawn, f"{move}/drop", {"reason": "no"})
    assert "There is no action that is done" in page(drawn, "/console/quality/actions?state=done")


def test_a_pack_is_read_and_signed_by_its_hash(drawn: Console) -> None:
    path = "/console/quality/weekly"
    where = sent(drawn, path, {"week": "2026-W40"})
    told = numbers(drawn, where)["pack"]
    assert told == asked(drawn, "/v1/weekly/2026-W40")
    assert f"file?of=/v1/weekly/2026-W40/pages/pdf%3Frevision={told['revision']}" in drawn.get(where).text
    assert send(drawn, f"{where}/sign", {"by": "Ana", "content_hash": "0" * 8}).status_code == 409
    assert 'value="lead@example.com"' in drawn.get(where).text  # who is signed in signs
    assert sent(drawn, f"{where}/sign", {"by": "Ana", "content_hash": told["content_hash"]}) == where
    assert "by Ana" in page(drawn, where)
    assert "Ana" in page(drawn, path)
