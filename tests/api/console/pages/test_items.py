from __future__ import annotations

from html import unescape

import pytest

from api.auth import Role
from api.console.pages import items
from api.items import shown
from labeling.records import Task, TaskState
from tests.api.client import call
from tests.api.console.conftest import HTML, JSON, Console
from tests.api.site import select


def _item(console: Console) -> str:
    return console.goldfold.ledger.golden.items()[0].external_id


def _open_task(console: Console) -> tuple[str, Task]:
    """An item about which a round asks, and its question."""
    ledger = console.goldfold.ledger
    if "still-open" not in {each.round_id for each in ledger.rounds.all()}:
        select(console.goldfold, "still-open", budget=4)
    task = ledger.tasks.where(round_id="still-open")[0]
    return ledger.items.by_id([task.item_id])[task.item_id].external_id, task


def test_content_is_in_the_page_when_it_is_asked_for_and_that_is_noted(golden: Console) -> None:
    external_id = _item(golden)
    text = golden.goldfold.ledger.golden.rows_of(external_id)[0].text
    path = f"/console/items/{external_id}"
    assert text not in golden.get(path).text
    assert golden.json(path)["content"] is None
    page = golden.post(path, {}).text
    assert f'<p class="content blurred">{text}</p>' in page
    assert '<input type="checkbox" id="see-text">' in page
    last = golden.goldfold.ledger.audit.latest(1)[0]
    assert (last["action"], last["target"]) == ("content.shown", external_id)


def test_the_history_in_the_golden_set_is_for_leads(golden: Console) -> None:
    path = f"/console/items/{_item(golden)}"
    assert golden.json(path, Role.ENGINEER)["history"] is None
    assert golden.json(path)["history"]["events"]
    assert f'href="/console/golden/items/{_item(golden)}"' not in golden.get(path, Role.ENGINEER).text


def test_scores_are_told_once_no_question_about_the_item_is_open(golden: Console) -> None:
    external_id, task = _open_task(golden)
    scores = call(golden.app, "GET", f"/v1/items/{external_id}", key=golden.keys[Role.LEAD]).json()["scores"]
    path = f"/console/items/{external_id}"
    assert scores
    assert golden.json(path)["read"]["value"]["scores"] == {}
    page = golden.get(path).text
    assert "does not answer freely" in page
    assert "still-open" in page
    answered = golden.json(f"/console/items/{_item(golden)}")
    assert answered["read"]["value"]["scores"]
    assert "words + head" in golden.get(f"/console/items/{_item(golden)}").text
    golden.goldfold.ledger.tasks.set_state([task.task_id], TaskState.WITHDRAWN)
    assert golden.json(path)["read"]["value"]["scores"] == scores


def test_an_image_is_previewed_under_whatever_name_the_console_has(
    golden: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = shown(golden.goldfold, "post-1")
    told = {**known, "text": "", "modality": "image", "media": "a.jpg"}
    base = golden.goldfold.settings.public_url
    links = {"image": f"{base}/media/clear", "image_blurred": f"{base}/media/blurred"}
    monkeypatch.setattr(items, "shown", lambda *_: told | links)
    page = golden.post("/console/items/post-1", {}).text
    assert 'src="/media/blurred"' in page
    hidden = page[page.index('<details class="see">') :]
    assert 'src="/media/clear"' in hidden
    assert f"{base}/media" not in page
    monkeypatch.setattr(items, "shown", lambda *_: {**told})
    assert "Set <code>media_link_secret</code>" in golden.post("/console/items/post-1", {}).text


def test_scorers_are_told_by_name(lived: Console) -> None:
    page = lived.get(f"/console/items/{_item(lived)}").text
    assert '<a href="/console/models/hate-head-1">hate-head-1</a>, calibrated' in page
    assert "golden 1.0.0" in page


def test_an_item_is_found_by_its_ids_or_their_start(golden: Console) -> None:
    find = "/console/items/find"
    known = golden.goldfold.ledger.items.named("post-1")
    for q in ("post-1", known.item_id, " post-1 "):
        assert golden.get(f"{find}?q={q}").headers["location"] == "/console/items/post-1"
    assert golden.get(f"{find}?q=post-11").headers["location"] == "/console/items/post-11"  # not post-110
    first = golden.json(f"{find}?q=post-")
    assert [each["external_id"] for each in first["found"]] == sorted(f"post-{n}" for n in range(120))[:50]
    second = golden.json(first["next"])
    assert second["found"][0]["external_id"] == sorted(f"post-{n}" for n in range(120))[50]
    assert "none starts so" in golden.get(f"{find}?q=nobody").text
    assert "Type an external id" in golden.get(f"{find}?q=").text
    assert "Type an external id" in golden.get(find).text
    assert golden.get(f"{find}?q=%00").status_code == 422
    assert golden.get(f"{find}?q=post-1", Role.VIEWER).status_code == 403


def test_a_list_shows_what_the_api_answers_with_the_rights_of_who_looks(golden: Console) -> None:
    of = "/console/list?of=/v1/rounds/week-1/picks"
    page = unescape(golden.get(of, Role.ENGINEER).text)
    assert "Picks of round week-1" in page
    assert "Next page" in page
    told = golden.json(of)
    assert len(told["rows"]) == 100
    rest = golden.json(told["next"])
    picks = call(golden.app, "GET", "/v1/rounds/week-1/picks", key=golden.keys[Role.LEAD]).json()
    listed = [(r["item_id"], r["pi"]) for r in told["rows"] + rest["rows"]]
    assert sorted(listed, key=str) == sorted(((p["item_id"], p["pi"]) for p in picks), key=str)
    assert rest["next"] == ""
    name = golden.goldfold.ledger.items.by_id([listed[0][0]])[listed[0][0]].external_id
    assert told["rows"][0]["external_id"] == name
    assert f'<a class="item" href="/console/items/{name}">{name}</a>' in page
    assert golden.get(f"{of}&as=json").json()["rows"] == told["rows"]
    assert "list?of=%2Fv1%2Frounds%2Fweek-1%2Fpicks&as=json" in page
    refused = golden.get(of, Role.VIEWER)
    assert refused.status_code == 403
    assert "needs the role engineer or above; you are signed in as viewer" in refused.text
    cookie = {**HTML, "Cookie": f"goldfold_session={golden.session(Role.ENGINEER)}"}
    assert "Next page" in call(golden.app, "GET", of, headers=cookie).text


def test_a_list_follows_the_pages_of_the_api_and_takes_its_filters(golden: Console) -> None:
    of = "/console/list?of=/v1/golden/items%3Flimit%3D20"
    told, names = golden.json(of), []
    while told["next"]:
        names += [row["external_id"] for row in told["rows"]]
        told = golden.json(told["next"])
    names += [row["external_id"] for row in told["rows"]]
    assert len(set(names)) == len(names) == told["count"]
    assert told["withheld"] > 0
    page = golden.get(of).text
    assert "Golden items behind the figure" in page
    assert '<option value="train">train</option>' in page
    narrowed = golden.get(f"{of}&partition=train&policy=&nonsense=1")
    assert narrowed.status_code == 303
    assert "partition%3Dtrain" in narrowed.headers["location"]
    assert "nonsense" not in narrowed.headers["location"]
    assert golden.get(f"{of}&after=x").headers["location"] == "/console/list?of=%2Fv1%2Fgolden%2Fitems%3Flimit%3D20"
    rows = golden.goldfold.ledger.golden.items()
    train = {row.external_id for row in rows if row.partition == "train"}
    assert golden.json(narrowed.headers["location"])["count"] == len(train)


def test_a_list_hushes_what_would_sway_while_a_question_is_open(golden: Console) -> None:
    external_id, _ = _open_task(golden)
    rows = golden.json("/console/list?of=/v1/rounds/still-open/picks")["rows"]
    asked = [row for row in rows if row["external_id"] != external_id]
    assert asked
    assert all(row["lane"] is row["pi"] is row["probability"] is row["reasons"] is None for row in asked)
    assert golden.json("/console/list?of=/v1/rounds/week-1/picks")["rows"][0]["lane"]


def test_a_list_is_of_this_api_and_of_nothing_else(golden: Console) -> None:
    for of in ("https://evil.test/v1/x", "//evil.test/v1/x", "/console/rounds", "/media/x", "/v1/nothing"):
        assert golden.get(f"/console/list?of={of}").status_code in (404, 422)
    assert golden.get("/console/list?of=/v1/rounds/week-1/events").status_code == 404
    assert golden.get("/console/list?of=/v1/rounds/nobody").status_code == 404
    assert golden.get("/console/list?of=/v1/golden/items?partition=x").status_code == 422
    assert golden.get("/console/file?of=/v1/items/post-1").status_code == 422


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


def test_files_come_through_the_console(lived: Console) -> None:
    cookie = {"Cookie": f"goldfold_session={lived.session(Role.LEAD)}"}
    (week, *_) = [each["week"] for each in call(lived.app, "GET", "/v1/weekly", key=lived.keys[Role.LEAD]).json()]
    of = f"/v1/weekly/{week}/pages/md"
    sent = call(lived.app, "GET", f"/console/file?of={of}", headers=cookie)
    whole = call(lived.app, "GET", of, key=lived.keys[Role.LEAD])
    assert (sent.status_code, sent.content) == (200, whole.content)
    assert sent.headers["content-disposition"] == whole.headers["content-disposition"]
    assert lived.get(f"/console/file?of={of}", Role.VIEWER).status_code == 403
    assert lived.get("/console/file?of=/v1/weekly/1999-W01/pages/md").status_code == 404


def test_the_lists_of_a_site_that_has_lived_can_all_be_read(lived: Console) -> None:
    for of in ("decisions", "tasks", "models", "golden/versions", "gates", "trends", "weekly", "yield"):
        page = lived.get(f"/console/list?of=/v1/{of}")
        assert page.status_code == 200, page.text
        assert "What the API answers" not in page.text
        assert "{&#39;" not in page.text  # Python's own writing of a value
