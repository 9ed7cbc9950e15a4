from __future__ import annotations

import json
from pathlib import Path

import pytest

from api.auth import Role
from tests.api.client import assert_problem
from tests.api.routes.conftest import Site
from tests.api.site import HARM, gild, score_all, select, stock

PATH = "/v1/golden"


@pytest.fixture
def gold(site: Site) -> Site:
    stock(site.goldfold)
    score_all(site.goldfold)
    select(site.goldfold, budget=30)
    gild(site.goldfold)
    return site


def publish(site: Site) -> str:
    response = site.ask("POST", f"{PATH}/versions", Role.LEAD, json={})
    assert response.status_code == 201, response.text
    return str(response.json()["version"])


def test_the_golden_set_is_counted(gold: Site) -> None:
    strata = gold.get(PATH, Role.VIEWER)
    assert sum(one["items"] for one in strata) == 30
    assert {one["policy"] for one in strata} == {HARM}
    assert {one["partition"] for one in strata} == {"train", "dev"}


def test_a_version_is_published_listed_and_verified(gold: Site) -> None:
    assert gold.get(f"{PATH}/versions") == []
    assert publish(gold) == "1.0.0"
    listed = gold.get(f"{PATH}/versions", Role.VIEWER)
    assert [one["version"] for one in listed] == ["1.0.0"]
    assert gold.get(f"{PATH}/versions/1.0.0") == listed[0]
    assert sum(listed[0]["counts"].values()) == 30
    verified = gold.ask("POST", f"{PATH}/versions/1.0.0/verify")
    assert verified.json() == {"versions": ["1.0.0"], "rows": 30, "events": 31}
    assert gold.ask("POST", f"{PATH}/verify").json() == verified.json()
    assert_problem(gold.ask("POST", f"{PATH}/versions", Role.LEAD, json={}), 409, "nothing changed|1.0.0")
    actions = [row["action"] for row in gold.goldfold.ledger.audit.latest()]
    assert "golden.publish" in actions


def test_tampering_is_named(gold: Site) -> None:
    publish(gold)
    manifest = Path(gold.goldfold.ledger.golden.version("1.0.0").manifest_path)
    manifest.chmod(0o644)
    manifest.write_text(manifest.read_text().replace("violates", "allowed", 1))
    body = assert_problem(gold.ask("POST", f"{PATH}/versions/1.0.0/verify"), 500)
    assert body["type"] == "urn:goldfold:problem:integrity-error"


@pytest.mark.parametrize("form", ["parquet", "jsonl", "csv"])
def test_an_export_lies_in_the_exports_folder_once(gold: Site, form: str) -> None:
    publish(gold)
    wanted = {"form": form, "partitions": ["train"]}
    response = gold.ask("POST", f"{PATH}/versions/1.0.0/exports", json=wanted)
    assert response.status_code == 201, response.text
    done = response.json()
    folder = Path(done["folder"])
    assert folder.parent == gold.goldfold.exports_dir
    assert (folder / "data" / f"train.{form}").is_file()
    assert done["rows"] == done["counts"]["train"] > 0
    assert_problem(gold.ask("POST", f"{PATH}/versions/1.0.0/exports", json=wanted), 409, "is there already")


def test_sealed_answers_cannot_be_asked_for(gold: Site) -> None:
    publish(gold)
    for partitions in (["sealed"], ["train", "sealed"], [], ["nonsense"]):
        response = gold.ask("POST", f"{PATH}/versions/1.0.0/exports", json={"partitions": partitions})
        assert_problem(response, 422, "body.partitions")
    assert not gold.goldfold.exports_dir.exists()


def test_what_is_not_there_is_named(site: Site) -> None:
    for method, path in (("GET", ""), ("POST", "/verify"), ("POST", "/exports")):
        assert_problem(site.ask(method, f"{PATH}/versions/9.9.9{path}", json={}), 404, "9.9.9")
    assert_problem(site.ask("POST", f"{PATH}/versions", Role.LEAD, json={}), 409, "no active item yet")
    assert_problem(site.ask("POST", f"{PATH}/versions", Role.LEAD, json={"bump": "huge"}), 422, "body.bump")


def test_publishing_is_for_leads_and_exporting_for_engineers(site: Site) -> None:
    site.refused("POST", f"{PATH}/versions", Role.LEAD, json={})
    site.refused("POST", f"{PATH}/versions/1.0.0/verify", Role.ENGINEER)
    site.refused("POST", f"{PATH}/versions/1.0.0/exports", Role.ENGINEER, json={})
    assert json.dumps(site.get(PATH, Role.VIEWER)) == "[]"


def test_an_item_moves_between_states(gold: Site) -> None:
    name = gold.goldfold.ledger.golden.items()[0].external_id
    path = f"{PATH}/items/{name}/changes"
    done = gold.ask("POST", path, Role.LEAD, json={"action": "retired", "reason": "old", "policy": HARM}).json()
    assert (done["state_before"], done["state"], done["dry_run"]) == ("active", "retired", False)
    again = gold.ask("POST", path, Role.LEAD, json={"action": "retired", "reason": "old"})
    assert_problem(again, 409, "cannot be retired: it is retired")
    event = gold.goldfold.ledger.golden.events()[-1]
    assert (event.reason, event.actor) == ("old", gold.goldfold.ledger.audit.latest(1)[0]["actor"])
    wrong = {"action": "erased", "reason": "old"}
    assert_problem(gold.ask("POST", path, Role.LEAD, json=wrong), 422, "body.action")
    assert_problem(gold.ask("POST", f"{PATH}/items/nobody/changes", Role.LEAD, json=done | wrong), 422)
    gold.refused("POST", path, Role.LEAD, json={"action": "retired", "reason": "old"})


def test_a_version_that_two_keys_release(gold: Site) -> None:
    object.__setattr__(gold.goldfold.settings, "two_person_release", True)
    assert publish(gold) == "1.0.0"
    assert gold.get(f"{PATH}/versions")[0]["state"] == "proposed"
    assert_problem(gold.ask("POST", f"{PATH}/versions/1.0.0/exports", json={}), 409, "nobody may use it")
    assert_problem(gold.ask("POST", f"{PATH}/versions/1.0.0/approve", Role.LEAD, json={}), 409, "another lead")
    approved = gold.ask("POST", f"{PATH}/versions/1.0.0/approve", Role.ADMIN, json={"reason": "read it"})
    assert approved.json()["state"] == "released"
    assert_problem(gold.ask("POST", f"{PATH}/versions/1.0.0/reject", Role.ADMIN, json={}), 409, "released already")
    gold.refused("POST", f"{PATH}/versions/1.0.0/approve", Role.LEAD, json={})


def test_versions_side_by_side_and_an_items_history(gold: Site) -> None:
    publish(gold)
    name = gold.goldfold.ledger.golden.items()[0].external_id
    gold.ask("POST", f"{PATH}/items/{name}/changes", Role.LEAD, json={"action": "retired", "reason": "old"})
    publish(gold)
    found = gold.get(f"{PATH}/versions/1.0.0/diff/1.1.0?limit=1")
    assert (found["changed"], found["rows"][0]["why"][0]["reason"]) == (1, "old")
    wrong = {"external_id": name, "reason": "it quotes"}
    assert gold.ask("POST", f"{PATH}/versions/1.0.0/errata", Role.LEAD, json=wrong).status_code == 201
    assert [one["reason"] for one in gold.get(f"{PATH}/versions/1.0.0/errata", Role.VIEWER)] == ["it quotes"]
    assert [e["action"] for e in gold.get(f"{PATH}/items/{name}", Role.LEAD)["events"]][-1] == "erratum"
    assert_problem(gold.ask("GET", f"{PATH}/versions/1.0.0/diff/9.9.9"), 404, "9.9.9")
    assert_problem(gold.ask("GET", f"{PATH}/items/nobody", Role.LEAD), 404, "nobody")
