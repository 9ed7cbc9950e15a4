"""The room Policies over ASGI: the text by how people read it, what a change would cost, and what it brought."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml

from api.auth import Role
from labeling.records import Outcome
from tests.api.console.conftest import Console
from tests.api.console.pages.judged_site import asked, numbers, page, sampled, send, sent, words
from tests.api.site import HARM, WordGoldfold
from tests.api.test_policy_changes import answer_all

HOME = f"/console/policies/{HARM}"
API = f"/v1/policies/{HARM}"


@pytest.fixture(scope="module")
def console(gilded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    with sampled(gilded, tmp_path_factory.mktemp("policies")) as made:
        yield made


def text_of(console: Console, version: str, **changes: Any) -> dict[str, Any]:
    text = console.goldfold.policies[HARM].model_dump(mode="json", exclude_defaults=True)
    return {**text, "version": version, **changes}


def form_of(text: dict[str, Any], **more: str) -> dict[str, str]:
    return {"text": yaml.safe_dump(text), "kind.tighten": "on", "reason": "the law changed", **more}


def test_the_list_and_the_text_tell_the_numbers_of_the_api(console: Console) -> None:
    said = page(console, "/console/policies", Role.VIEWER)
    assert "Hate speech" in said
    rows = numbers(console, "/console/policies", Role.VIEWER)["found"]["value"]
    shown = {row["policy"]: (row["version"], row["active"], row["stale"]) for row in rows}
    assert shown == {
        one["policy"]: (one["version"], one["active"], one["stale"]) for one in asked(console, "/v1/policies")
    }
    items = numbers(console, HOME, Role.VIEWER)["marks"]["value"]["definition"]["blind"]["items"]
    linked = f"/console/list?of={quote(items, safe='/')}"
    assert linked in console.get(HOME, Role.ENGINEER).text
    assert linked not in console.get(HOME, Role.VIEWER).text
    told = numbers(console, HOME)["marks"]["value"]
    (mark,) = told["rules"]
    cells = asked(console, "/v1/agreement")["cells"]
    (cell,) = [one for one in cells if one["rule_id"] == mark["rule"]]
    assert mark["blind"] == cell["outcome"]["observed"]
    (whole,) = [one for one in cells if (one["policy"], one["language"], one["rule_id"]) == (HARM, "", "")]
    assert told["definition"]["blind"] == whole["outcome"]["observed"]
    assert f"Definition {told['definition']['reading']}" in page(console, HOME)
    assert f"Attack on a protected group general {mark['reading']}" in page(console, HOME)
    assert console.get("/console/policies/nobody").status_code == 404


def test_gold_is_replayed_from_a_file_and_colours_the_text(console: Console) -> None:
    assert "no replay of the tree as it is now is kept; replay gold" in page(console, f"{HOME}/tree")
    assert "an engineer replays gold" in page(console, f"{HOME}/tree", Role.VIEWER)
    assert "Download guide (PDF)" in page(console, f"{HOME}/tree")
    gold = console.goldfold.ledger.golden.items()
    says = {Outcome.VIOLATES: "yes", Outcome.ALLOWED: "no"}
    rows = [
        {"item_id": item.item_id, "person": person, "step": step, "answer": answer}
        for item in gold
        for person in ("1", "2")
        for step, answer in (("group", says[item.outcome]), ("against", "no"))
    ]
    table = "\n".join(json.dumps(row) for row in rows).encode()
    files = {"file": ("walks.jsonl", table)}
    assert send(console, f"{HOME}/tree", {"sop": HARM}, Role.VIEWER, files=files).status_code == 403
    bad = send(console, f"{HOME}/tree", {"sop": HARM}, files={"file": ("walks.txt", table)})
    assert "ends in none of .csv" in bad.text
    assert sent(console, f"{HOME}/tree", {"sop": HARM}, Role.ENGINEER, files=files) == f"{HOME}/tree?sop={HARM}"
    kept = asked(console, f"/v1/sops/{HARM}/replay")
    (against,) = [step for step in kept["steps"] if step["step"] == "against"]
    assert (against["verdict"], kept["worst"]) == ("misleading", "against")
    tree = console.get(f"{HOME}/tree")
    assert "people go astray misleading" in words(tree.text)
    lost = console.goldfold.ledger.items.by_id(against["lost"][:1])
    assert f"/console/items/{lost[against['lost'][0]].external_id}" in tree.text
    assert console.get(f"{HOME}/tree?chart=kept&as=csv").text.count("gold in reach,") == 3
    (mark,) = numbers(console, HOME)["marks"]["value"]["rules"]
    assert (mark["reading"], [step["step"] for step in mark["steps"]]) == ("people go astray", mark["way"])


def test_a_change_is_costed_before_anything_is_written(console: Console) -> None:
    path, form = f"{HOME}/what-if", form_of(text_of(console, "1.1.0", definition="A new text."))
    assert "version: 1.0.0" in console.get(path, Role.ENGINEER).text
    assert console.get(path, Role.VIEWER).status_code == 403
    before = len(console.goldfold.ledger.policies.all())
    answer = send(console, path, form, Role.ENGINEER)
    assert answer.status_code == 200, words(answer.text)
    body = {
        "text": text_of(console, "1.1.0", definition="A new text."),
        "kinds": ["tighten"],
        "reason": "the law changed",
    }
    told = asked(console, f"{API}/preview", "POST", json=body)
    said = words(answer.text)
    assert f"Gold that becomes stale {told['stale']}" in said
    flips = told["asked"]["flips"]
    assert f"{flips['low']:.0f} to {flips['high']:.0f} n {flips['n']} " in said
    assert f"Minutes of people {round(told['asked']['minutes'])} " in said
    assert f"Size of the bridge {told['asked']['bridge']} " in said
    assert "Publishing takes a lead" in said
    assert "Publish it" in words(send(console, path, form).text)
    assert len(console.goldfold.ledger.policies.all()) == before
    uploaded = {"file": ("changed.yaml", yaml.safe_dump(text_of(console, "1.2.0", definition="Of a file.")).encode())}
    assert "Of a file." in send(console, path, {**form, "text": ""}, files=uploaded).text
    for broken, told_so in ((form_of({"id": HARM}), "Field required"), ({**form, "text": "a: ["}, "policy.yaml")):
        refused = send(console, path, broken)
        assert (refused.status_code, told_so in refused.text) == (422, True)


def test_publishing_it_and_what_it_brought(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    goldfold = console.goldfold
    form = form_of(text_of(console, "1.1.0", definition="A new text."), budget="100", bridge="0")
    assert send(console, f"{HOME}/publish", form, Role.ENGINEER).status_code == 403
    monkeypatch.setattr(goldfold, "settings", goldfold.settings.model_copy(update={"two_person_release": True}))
    assert sent(console, f"{HOME}/publish", form) == f"{HOME}/proposals"
    assert "It waits for a lead other than" in page(console, f"{HOME}/proposals", Role.VIEWER)
    assert "Publish it" not in page(console, f"{HOME}/proposals")  # its own author's
    assert "Publish it" in page(console, f"{HOME}/proposals", Role.ADMIN)
    assert send(console, f"{HOME}/proposals/1.1.0/approve", {}).status_code == 409
    assert sent(console, f"{HOME}/proposals/1.1.0/approve", {"reason": "read"}, Role.ADMIN) == f"{HOME}/history"
    (round_,) = [one for one in goldfold.ledger.rounds.all() if one.plan.get("purpose") == "relabel"]
    assert isinstance(goldfold, WordGoldfold)
    answer_all(goldfold, round_.round_id, violates=True)

    said = page(console, f"{HOME}/history", Role.VIEWER)
    told = numbers(console, f"{HOME}/history")["effects"]["value"]
    assert told == asked(console, f"{API}/effects")
    unnamed = numbers(console, f"{HOME}/history", Role.VIEWER)
    assert {one["actor"] for one in (*unnamed["effects"]["value"], *unnamed["versions"])} == {""}
    assert "Told of the newest 10 versions." in said
    newest = told[0]["spans"][0]
    assert (told[0]["version"], newest["is_over"], newest["beside"]) == ("1.1.0", False, ["1.0.0"])
    assert newest["accuracy"]["before"]["n"] > 12
    flips = newest["flips"]["after"]
    assert (flips["value"], flips["licence"][:11]) == (1, "provisional")
    assert "provisional: the window runs until" in said
    named = asked(console, flips["items"])
    assert named["count"] == flips["n"] > 12
    assert "A new text." in console.get(f"{HOME}/history").text
    progress = numbers(console, f"{HOME}/progress", Role.VIEWER)["progress"]["value"]
    assert progress == asked(console, f"{API}/progress")
    assert "No bridge is open" in page(console, f"{HOME}/progress")


def test_examples_are_shown_when_asked_for_and_that_is_noted(console: Console) -> None:
    policy = console.goldfold.policies[HARM]
    texts = [text for rule in policy.rules for text in (*rule.examples, *rule.near_misses)]
    assert texts
    hidden = json.dumps(numbers(console, HOME, Role.VIEWER))
    assert not [text for text in texts if text in hidden]
    assert "they are hidden" in page(console, HOME, Role.VIEWER)
    before = len(console.goldfold.ledger.audit.latest(100, action="content.shown"))
    shown = numbers(console, f"{HOME}?examples=true", Role.VIEWER)["text"]["rules"]
    assert [text for rule in shown for text in (*rule["examples"], *rule["near_misses"])] == texts
    noted = console.goldfold.ledger.audit.latest(100, action="content.shown")
    assert (len(noted) > before, noted[0]["target"]) == (True, HARM)


def test_what_a_role_can_only_be_refused_at_is_not_shown(console: Console) -> None:
    for part in ("", "/tree", "/history", "/progress", "/proposals"):
        html = console.get(f"{HOME}{part}", Role.VIEWER).text
        assert "/what-if" not in html
        assert 'method="post" action="/console/policies' not in html
        assert "/console/items/" not in html
    assert f'href="{HOME}/what-if"' in console.get(HOME, Role.ENGINEER).text


def test_a_proposal_is_turned_down_and_a_version_of_then_can_be_read(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    goldfold = console.goldfold
    monkeypatch.setattr(goldfold, "settings", goldfold.settings.model_copy(update={"two_person_release": True}))
    sent(console, f"{HOME}/publish", form_of(text_of(console, "1.9.0", definition="Another.")))
    assert sent(console, f"{HOME}/proposals/1.9.0/reject", {"reason": "too wide"}) == f"{HOME}/proposals"
    assert "too wide" in page(console, f"{HOME}/proposals")
    assert "the newest" in page(console, f"{HOME}?version=1.0.0")
    assert console.get(f"{HOME}?version=9.9.9").status_code == 404
