"""Decision trees over HTTP: the same figures as on the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.auth import Role
from api.server import build_app
from api.service import Service
from labeling.records import Outcome, Partition
from tests.api.cli.test_drafts import endpoint
from tests.api.client import assert_problem
from tests.api.routes.conftest import Site, give_keys
from tests.api.site import HARM, WordGoldfold, gild, score_all, select, settings, stock
from tests.figures import assert_whole
from tests.judge_service import chat_service

PATH = "/v1/sops"


@pytest.fixture
def gilded(tmp_path: Path) -> Iterator[Site]:
    given = settings(tmp_path, partitions={"train": 0.5, "sealed": 0.5})
    with Service(given, WordGoldfold(given)) as service:
        site = give_keys(Site(build_app(service), service))
        stock(site.goldfold)
        score_all(site.goldfold)
        select(site.goldfold, budget=30)
        gild(site.goldfold)
        assert site.ask("POST", "/v1/golden/versions", Role.LEAD, json={}).status_code == 201
        yield site


def test_trees_are_read_and_compiled(gilded: Site) -> None:
    (row,) = gilded.get(PATH)
    whole = gilded.get(f"{PATH}/{HARM}")
    assert whole["tree"]["start"] == "group"
    assert {remark["flaw"] for remark in whole["remarks"]} == {"no_examples"}
    guide = gilded.ask("GET", f"{PATH}/{HARM}/compiled/guide.html", Role.VIEWER)
    assert row["tree_hash"] in guide.text
    assert guide.headers["content-type"].startswith("text/plain")  # somebody's text is not rendered on our address
    assert gilded.ask("GET", f"{PATH}/{HARM}/compiled/guide.pdf", Role.VIEWER).content.startswith(b"%PDF-")
    assert_problem(gilded.ask("GET", f"{PATH}/{HARM}/compiled/poem", Role.VIEWER), 404, "is not one of form")
    assert_problem(gilded.ask("GET", f"{PATH}/nothing", Role.VIEWER), 404, "has no file")


def test_gold_is_replayed_and_sealed_gold_is_not(gilded: Site) -> None:
    gold = gilded.goldfold.ledger.golden.items()
    group = {Outcome.VIOLATES: "yes", Outcome.ALLOWED: "no"}
    walks = [
        {"item_id": item.item_id, "person": "ann", "answers": {"group": group[item.outcome], "against": "no"}}
        for item in gold
    ]
    told = gilded.ask("POST", f"{PATH}/{HARM}/replay", json={"walks": walks}).json()
    assert_whole(told, 5)
    behind = gilded.get(told["right"]["items"])
    assert {one["item_id"] for one in behind["items"]} == {
        one.item_id for one in gold if one.partition is Partition.TRAIN
    }
    assert behind["withheld"] == sum(one.partition is Partition.SEALED for one in gold)
    shown = [item for item in gold if item.partition is Partition.TRAIN]
    assert (told["walks"], told["without_gold"]) == (len(shown), len(gold) - len(shown))
    lost = {item_id for step in told["steps"] for item_id in step["lost"]}
    assert lost == {item.item_id for item in shown if item.outcome is Outcome.VIOLATES}
    sealed = [walk for walk in walks if walk["item_id"] not in {item.item_id for item in shown}]
    assert_problem(gilded.ask("POST", f"{PATH}/{HARM}/replay", json={"walks": sealed}), 409, "train or dev")
    bad = [{"item_id": shown[0].item_id, "person": "ann", "answers": {"group": "perhaps"}}]
    assert_problem(gilded.ask("POST", f"{PATH}/{HARM}/replay", json={"walks": bad}), 422, "step group: 'perhaps'")


def test_tasks_hold_content_and_no_answer_and_are_for_leads(gilded: Site) -> None:
    gilded.refused("GET", f"{PATH}/{HARM}/tasks", Role.LEAD)
    tasks = gilded.get(f"{PATH}/{HARM}/tasks?per_verdict=2", Role.LEAD)
    shown = {item.item_id for item in gilded.goldfold.ledger.golden.items() if item.partition is Partition.TRAIN}
    assert 0 < len(tasks) <= 4
    assert {task["data"]["item_id"] for task in tasks} <= shown
    assert {frozenset(task["data"]) for task in tasks} == {frozenset({"item_id", "text"})}
    assert_problem(gilded.ask("GET", f"{PATH}/nothing/tasks", Role.LEAD), 404, "has no file")


def test_a_question_is_drafted_with_what_was_measured(gilded: Site, tmp_path: Path) -> None:
    asked = f"{PATH}/{HARM}/steps/group/drafts"
    assert_problem(gilded.ask("POST", asked, Role.LEAD, json={"endpoint": "gpt"}), 409, "no endpoint is configured")
    gilded.refused("POST", asked, Role.LEAD, json={"endpoint": "gpt"})
    (tmp_path / "judges").mkdir()
    object.__setattr__(gilded.goldfold.settings, "judges_dir", tmp_path / "judges")
    gold = next(item for item in gilded.goldfold.ledger.golden.items() if item.partition is Partition.TRAIN)
    walks = [{"item_id": gold.item_id, "person": "ann", "answers": {"group": "no"}}]
    with chat_service(answer=lambda *_: json.dumps({"code": None, "text": "Is a group named?"})) as (url, _):
        endpoint(tmp_path / "judges", url)
        made = gilded.ask("POST", asked, Role.LEAD, json={"endpoint": "gpt", "walks": walks}).json()
        assert (made["text"], made["status"], made["about"]) == ("Is a group named?", "draft", "group")
        nothing = gilded.ask("POST", asked.replace("group", "nowhere"), Role.LEAD, json={"endpoint": "gpt"})
        assert_problem(nothing, 404, "step 'nowhere' is not in")
