from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from api.auth import Role
from api.console.pages.golden_grid import grid_of
from labeling.records import GoldAction, GoldState, VersionState
from labeling.standing import change
from tests.api.client import call
from tests.api.console.conftest import JSON, Console, opened
from tests.api.console.pages.exam import RULE, examined, retired
from tests.api.site import HARM

GOLDEN = "/console/golden"


@pytest.fixture(scope="module")
def exam(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """Two people release a version there."""
    with opened(examined(tmp_path_factory.mktemp("golden-exam"), two_person_release=True)) as console:
        yield console


def _settled(console: Console, path: str, role: Role = Role.LEAD) -> dict[str, Any]:
    """A page's numbers once none is on its way."""
    told = console.json(path, role)
    while told["pending"]:
        told = console.json(path, role)
    return told


def _api(console: Console, path: str, role: Role = Role.LEAD) -> Any:
    answer = console.get(path, role, JSON)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_have_and_need_are_those_of_the_plan_and_lead_to_a_round(exam: Console) -> None:
    path = f"{GOLDEN}?policy={HARM}&partition=dev&half_width=0.1"
    told = _settled(exam, path, Role.VIEWER)
    plan = _api(exam, "/v1/golden/plan?partition=dev&half_width=0.1", Role.VIEWER)
    assert told["plan"]["value"]["labels"] == plan["labels"]
    mine = {(s["zone"], s["rule"]): (s["have"], s["need"]) for s in plan["strata"] if s["policy"] == HARM}
    grid = told["grid"]
    assert grid["columns"] == ["en"]
    cells = dict(zip(grid["rows"], (row[0] for row in grid["cells"]), strict=True))
    violating = cells[f"{RULE} S2"]
    assert (violating["have"], violating["need"]) == mine["violating", RULE]
    assert violating["have"] > 0
    assert violating["level"] == ("near" if 2 * violating["have"] >= violating["need"] else "short")
    asked = parse_qs(urlsplit(violating["round"]).query)
    assert asked["policies"] == [HARM]
    assert int(asked["budget"][0]) >= violating["need"] - violating["have"]
    assert (float(asked["lane_risk"][0]), float(asked["lane_random"][0])) == pytest.approx((0.9, 0.1))
    (row,) = [each for each in told["by_policy"] if each["policy"] == HARM]
    assert row["missing"] == sum(max(0, need - have) for have, need in mine.values())
    page = exam.get(path).text
    assert f"{violating['have']} / {violating['need']}" in page
    csv = exam.get(f"{path}&chart=strata&as=csv").text
    assert f"{RULE} S2,en,{violating['need'] - violating['have']}" in csv


def test_a_policy_without_strata_has_no_grid(exam: Console) -> None:
    plan = exam.goldfold.gold_plan("dev", 0.9, 0.1)
    assert grid_of(plan, "nothing") is None
    assert "has no stratum of this policy" in exam.get(f"{GOLDEN}?policy=nothing").text


def test_the_counts_are_those_that_the_api_tells(exam: Console) -> None:
    told = _settled(exam, GOLDEN, Role.VIEWER)["counts"]["value"]
    strata = _api(exam, "/v1/golden", Role.VIEWER)
    assert told["rows"] == sum(each["items"] for each in strata)
    outcomes = told["ways"]["outcome"]
    sealed = outcomes["rows"][HARM][outcomes["columns"].index("withheld")]
    assert sealed == sum(each["items"] for each in strata if each["partition"] == "sealed")


def test_a_version_is_looked_at_proposed_and_decided_by_another_lead(exam: Console) -> None:
    ledger, publish = exam.goldfold.ledger, f"{GOLDEN}/versions/publish"
    assert "nothing changed in the golden set" in exam.get(publish).text
    row = next(row for row in ledger.golden.items(partition="dev"))
    change(ledger, row.external_id, None, GoldAction.QUARANTINED, actor="ann", reason="a doubt")
    exam.app.state.answers.forget()
    told = _settled(exam, publish)["outlook"]["value"]
    assert (told["version"], told["parent"], told["diff"]["counts"]) == ("1.2.0", "1.1.0", {"removed": 1})
    (gone,) = told["diff"]["rows"]
    assert (gone["external_id"], gone["why"][0]["reason"]) == (row.external_id, "a doubt")
    assert ledger.golden.versions(everything=True)[-1].version == "1.1.0"  # it was a look
    answer = exam.post(publish, {"bump": ""})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{GOLDEN}/versions/1.2.0")
    assert ledger.golden.version("1.2.0").counts == told["counts"]
    own = exam.post(f"{GOLDEN}/versions/1.2.0/approve", {"reason": "fine"})
    assert own.status_code == 409
    assert "another lead must approve it" in own.text
    assert "waits for a lead other than its author" in exam.get(f"{GOLDEN}/versions").text
    assert exam.post(f"{GOLDEN}/versions/1.2.0/approve", {"reason": "fine"}, Role.ADMIN).status_code == 303
    assert ledger.golden.version("1.2.0").state is VersionState.RELEASED


def test_two_versions_are_told_apart_as_the_api_does(exam: Console) -> None:
    path = f"{GOLDEN}/versions/compare?before=1.0.0&after=1.1.0"
    told = _settled(exam, path, Role.ENGINEER)["diff"]["value"]
    same = _api(exam, "/v1/golden/versions/1.0.0/diff/1.1.0", Role.ENGINEER)
    assert (told["counts"], told["strata"]) == (same["counts"], same["strata"]) == ({"removed": 1}, same["strata"])
    assert [row["external_id"] for row in told["rows"]] == [retired(exam.goldfold)]
    assert [row["item_id"] for row in same["rows"]] == [row["item_id"] for row in told["rows"]]
    assert "nobody posts that" in exam.get(path).text
    assert _settled(exam, f"{path}&kind=flipped")["diff"]["value"]["listed"] == 0
    assert exam.get(f"{GOLDEN}/versions/compare?before=1.0.0&after=9.9.9").status_code == 404


def test_an_error_of_a_version_is_noted_and_listed(exam: Console) -> None:
    row = exam.goldfold.ledger.golden.items(partition="train")[0]
    form = {"version": "1.0.0", "external_id": row.external_id, "policy": "", "reason": "it quotes the news"}
    assert exam.post(f"{GOLDEN}/errors", form).status_code == 303
    told = exam.json(f"{GOLDEN}/errors", Role.VIEWER)
    assert (told["all"], told["errata"][0]["external_id"], told["suspected"]) == (1, row.external_id, None)
    assert told["errata"][0]["actor"] == ""  # who noted it is told to leads
    assert exam.json(f"{GOLDEN}/errors")["errata"][0]["actor"] != ""
    assert "it quotes the news" in exam.get(f"{GOLDEN}/versions/1.0.0").text
    filled = exam.get(f"{GOLDEN}/errors?item={row.external_id}&policy={HARM}&version=1.0.0").text
    assert f'value="{row.external_id}"' in filled
    assert '<details id="note" open>' in filled
    assert "/console/items/" not in exam.get(f"{GOLDEN}/errors", Role.VIEWER).text
    assert "No queue of labels that look wrong" in exam.get(f"{GOLDEN}/errors").text  # leads alone see it
    missing = exam.post(f"{GOLDEN}/errors", {"version": "1.0.0"})
    assert missing.status_code == 422
    assert "external_id" in missing.text


def test_hashes_contests_and_the_history_of_an_item(exam: Console) -> None:
    audited = _settled(exam, f"{GOLDEN}/verify", Role.ENGINEER)["audited"]["value"]
    assert audited["problems"] == []
    assert audited["events"] > 140
    assert "is contested" in exam.get(f"{GOLDEN}/contests", Role.ENGINEER).text
    here = f'<a href="{GOLDEN}/versions" aria-current="page">'
    assert here in exam.get(f"{GOLDEN}/versions/1.0.0").text  # a version's page lies in the room of versions
    told = exam.json(f"{GOLDEN}/versions/1.0.0", Role.VIEWER)["version"]
    assert (told["author"], exam.json(f"{GOLDEN}/versions/1.0.0")["version"]["author"]) == ("", "somebody")
    page = exam.get(f"{GOLDEN}/items/{retired(exam.goldfold)}").text
    assert "nobody posts that" in page
    assert "1.0.0" in page
    assert exam.get(f"{GOLDEN}/items?item=nobody").status_code == 404


def test_an_item_is_moved_after_a_look_at_what_that_changes(exam: Console) -> None:
    golden = exam.goldfold.ledger.golden
    row = next(row for row in golden.items(partition="train") if row.state is GoldState.ACTIVE)
    item = f"{GOLDEN}/items/{row.external_id}"
    page = exam.get(item).text
    assert "See what it would change" in page
    for name, is_open in (("demoted", True), ("quarantined", True), ("retired", True), ("restored", False)):
        assert (f'<option value="{name}">' in page) is is_open
    look = f"{GOLDEN}/change?item={row.external_id}&policy={HARM}&action=quarantined"
    assert exam.get(look, Role.ENGINEER).status_code == 403
    told = exam.json(look)
    same = call(
        exam.app,
        "POST",
        f"/v1/golden/items/{row.external_id}/changes",
        key=exam.keys[Role.LEAD],
        json={"action": "quarantined", "reason": "a look", "policy": HARM, "dry_run": True},
    ).json()
    assert told["would"] == same
    assert told["held"] == ["1.0.0", "1.1.0", "1.2.0"]
    assert golden.rows_of(row.external_id)[0].state is GoldState.ACTIVE  # it was a look
    form = {"item": row.external_id, "policy": HARM, "action": "quarantined", "reason": ""}
    assert exam.post(f"{GOLDEN}/change", form).status_code == 422
    assert exam.post(f"{GOLDEN}/change", form | {"reason": "a doubt"}, csrf="no").status_code == 403
    assert exam.post(f"{GOLDEN}/change", form | {"reason": "a doubt"}).headers["location"] == item
    assert golden.rows_of(row.external_id)[0].state is GoldState.QUARANTINED
    assert '<option value="restored">' in exam.get(item).text
    again = exam.get(look)
    assert (again.status_code, "cannot be quarantined" in again.text) == (409, True)
    wrong = exam.get(f"{GOLDEN}/change?item={row.external_id}&action=burnt")
    assert (wrong.status_code, "action" in wrong.text) == (422, True)


def test_where_nothing_is_yet_the_page_says_what_to_do(bare: Console) -> None:
    assert "There is no golden item yet" in _text(bare, GOLDEN)
    assert "No version is published yet" in _text(bare, f"{GOLDEN}/versions")
    assert "label and sync first" in _text(bare, f"{GOLDEN}/versions/publish")
    assert "Choose two versions" not in _text(bare, f"{GOLDEN}/versions/compare")


def _text(console: Console, path: str) -> str:
    _settled(console, path)
    return console.get(path).text
