from __future__ import annotations

from api.auth import Role
from tests.api.client import call
from tests.api.console.conftest import HTML, JSON, Console


def _item(console: Console) -> str:
    return console.goldfold.ledger.golden.items()[0].external_id


def test_content_is_in_the_page_when_it_is_asked_for_and_that_is_noted(golden: Console) -> None:
    external_id = _item(golden)
    text = golden.goldfold.ledger.golden.rows_of(external_id)[0].text
    path = f"/console/items/{external_id}"
    assert text not in golden.get(path).text
    assert golden.json(path)["content"] is None
    assert text in golden.post(path, {}).text
    last = golden.goldfold.ledger.audit.latest(1)[0]
    assert (last["action"], last["target"]) == ("content.shown", external_id)


def test_the_history_in_the_golden_set_is_for_leads(golden: Console) -> None:
    path = f"/console/items/{_item(golden)}"
    assert golden.json(path, Role.ENGINEER)["history"] is None
    assert golden.json(path)["history"]["events"]


def test_a_list_shows_what_the_api_answers_with_the_rights_of_who_looks(golden: Console) -> None:
    (round_,) = golden.goldfold.ledger.rounds.all()
    of = f"/console/list?of=/v1/rounds/{round_.round_id}/picks"
    page = golden.get(of, Role.ENGINEER)
    assert page.status_code == 200
    assert "110 rows" in page.text
    assert len(golden.json(of)["rows"]) == 110
    assert golden.get(of, Role.VIEWER).status_code == 422
    cookie = {**HTML, "Cookie": f"goldfold_session={golden.session(Role.ENGINEER)}"}
    assert "110 rows" in call(golden.app, "GET", of, headers=cookie).text


def test_a_list_is_of_this_api_and_of_nothing_else(golden: Console) -> None:
    for of in ("https://evil.test/v1/x", "//evil.test/v1/x", "/console/rounds", "/media/x", "/v1/nothing"):
        assert golden.get(f"/console/list?of={of}").status_code in (404, 422)


def test_a_list_never_holds_content(golden: Console) -> None:
    row = golden.goldfold.ledger.golden.items()[0]
    of = f"/console/list?of=/v1/items/{row.external_id}"
    assert row.text in call(golden.app, "GET", of.partition("of=")[2], key=golden.keys[Role.LEAD]).text
    assert row.text not in golden.get(of).text
    assert row.text not in golden.get(of, headers=JSON).text
    (task, *_) = golden.goldfold.ledger.tasks.where(round_id="week-1")
    told = golden.json(f"/console/list?of=/v1/tasks/{task.task_id}/annotations")
    assert told["rows"]
    assert not [each for each in told["rows"] if "rationale" in each]
