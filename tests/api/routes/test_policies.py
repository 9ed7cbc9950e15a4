"""/v1/policies from a new text to labels given again; the command line tells the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.auth import Role
from api.cli.output import plain
from api.policy_changes import foresee
from api.server import build_app
from api.service import Service
from labeling.policy_publish import Change
from labeling.policy_versions import ChangeKind
from labeling.records import Partition, RoundState
from tests.api.client import assert_problem
from tests.api.routes.conftest import Site, give_keys
from tests.api.site import HARM, WordGoldfold, gild, score_all, select, settings, stock
from tests.api.test_policy_changes import answer_all
from tests.figures import assert_whole

BASE = f"/v1/policies/{HARM}"
LEAD = Role.LEAD


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Thirty golden items, some of them sealed; half of them violate."""
    given = settings(tmp_path, partitions={"train": 0.5, "dev": 0.2, "sealed": 0.3})
    goldfold = WordGoldfold(given)
    with Service(given, goldfold) as service:
        stock(goldfold)
        score_all(goldfold)
        select(goldfold, budget=30)
        gild(goldfold)
        goldfold.ledger.rounds.set_state("week-1", RoundState.CLOSED)
        yield give_keys(Site(build_app(service), service))


def asked(site: Site, version: str = "1.1.0", kind: str = "tighten", **more: Any) -> dict[str, Any]:
    text = site.goldfold.policies[HARM].model_dump(mode="json") | {"version": version, "definition": "a new text"}
    return {"text": text, "kinds": [kind], "reason": "the law changed", **more}


def post(site: Site, path: str, role: Role, body: dict[str, Any]) -> Any:
    response = site.ask("POST", BASE + path, role, json=body)
    assert response.status_code in (200, 201), response.text
    return response.json()


def test_from_a_preview_to_labels_given_again(site: Site) -> None:
    goldfold = site.goldfold
    sealed = [item for item in goldfold.ledger.golden.items() if item.partition is Partition.SEALED]
    assert sealed
    before = len(goldfold.ledger.policies.all()), goldfold.ledger.golden.items()
    foreseen = post(site, "/preview", Role.ENGINEER, asked(site))
    assert (len(goldfold.ledger.policies.all()), goldfold.ledger.golden.items()) == before
    told, labels = foreseen["asked"], foreseen["stale"]
    assert (foreseen["sealed_at_most"], foreseen["retired"], told["labels"]) == (len(sealed), 0, labels)
    assert 0 < told["flips"]["value"] < labels
    (flips,) = assert_whole(foreseen)
    behind = site.get(flips["items"])
    assert behind["count"] >= flips["n"]
    assert not {one["item_id"] for one in behind["items"]} & {item.item_id for item in sealed}
    assert told["minutes"] > labels * 2 * 0.25  # two people, a quarter of a minute to decide
    assert foreseen["difference"]["keys"] == ["version", "definition"]
    assert "sealed" not in {row["partition"] for row in foreseen["touched"]}

    done = post(site, "/versions", LEAD, asked(site, budget=3, bridge=0))["published"]
    hidden = done["moved"]["stale"] - labels
    assert 0 < hidden < len(sealed)
    assert (done["relabel"]["plan"]["budget"], done["bridge"]) == (3, None)
    standing = site.get(BASE, Role.VIEWER)
    assert (standing["version"], standing["stale"], standing["draft"]) == ("1.1.0", done["moved"]["stale"], False)
    newest, first = site.get(f"{BASE}/versions", Role.VIEWER)
    assert (newest["actor"], newest["parent"], first["kinds"]) == (site.keys[LEAD].split("_")[1], "1.0.0", ["new"])
    assert site.get(f"{BASE}/versions?limit=1", Role.VIEWER) == [newest]
    assert site.get(f"{BASE}/versions/1.1.0", Role.VIEWER)["text"]["definition"] == "a new text"
    shown = site.get(f"{BASE}/versions/1.0.0/diff/1.1.0", Role.VIEWER)
    assert (shown["keys"], shown["a"]) == (["version", "definition"], f"{HARM}@1.0.0")

    waiting = site.get(f"{BASE}/stale?limit=2", LEAD)
    assert (len(waiting["rows"]), waiting["unasked"]) == (2, done["moved"]["stale"] - 3)
    chances = [row["chance"] * 2 ** row["severity"] for row in site.get(f"{BASE}/stale", LEAD)["rows"]]
    assert chances == sorted(chances, reverse=True)
    ids = {item.external_id for item in sealed}
    assert not ids & {row["external_id"] for row in site.get(f"{BASE}/stale", LEAD)["rows"]}

    made = post(site, "/relabel", Role.ENGINEER, {"round_id": "next", "budget": 100})
    assert (made["round_id"], made["state"], made["tasks"]) == ("next", "open", {"queued": waiting["unasked"]})
    answer_all(goldfold, "next", violates=True)
    far = site.get(f"{BASE}/progress", Role.VIEWER)
    (one,) = (row for row in far["rounds"] if row["round_id"] == "next")
    assert (far["stale"], far["asked"], far["waiting"], far["left"]["labels"]) == (3, 3, 0, 0)
    assert (one["tasks"], one["labels"]) == ({"settled": waiting["unasked"]}, waiting["unasked"])
    assert one["flipped"] == one["compared"] == waiting["unasked"] - waiting["sealed"]
    told_of = [(r["actor"], r["target"]) for r in goldfold.ledger.audit.latest(500) if r["action"] == "policy.relabel"]
    assert told_of == [(site.keys[Role.ENGINEER].split("_")[1], HARM)]
    assert post(site, "/bridge", Role.ENGINEER, {"items": 6})["sample"] == 6
    assert assert_whole(site.get(f"{BASE}/bridge", Role.VIEWER), 4)[0]["value"] is None
    assert site.get(f"{BASE}/bridge/items")["count"] > 0
    assert_problem(site.ask("POST", f"{BASE}/bridge", json={"items": 5}), 409, "is there already")


def test_the_command_line_and_the_routes_tell_the_same(site: Site) -> None:
    goldfold, body = site.goldfold, asked(site)
    policy = goldfold.policies[HARM].model_validate(body["text"])
    change = Change((ChangeKind.TIGHTEN,), body["reason"], "cli")
    mine, theirs = plain(foresee(goldfold, policy, change).as_dict()), post(site, "/preview", Role.ENGINEER, body)
    for told in (mine, theirs):
        for version in told.pop("versions"):
            assert version["version"] == "1.1.0"
    assert mine == theirs


def test_two_people_publish_where_the_setting_says_so(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    two = site.goldfold.settings.model_copy(update={"two_person_release": True})
    monkeypatch.setattr(site.goldfold, "settings", two)
    made = post(site, "/versions", LEAD, asked(site, budget=2, bridge=0))
    assert (made["published"], made["proposal"]["state"]) == (None, "proposed")
    assert site.get(BASE, Role.VIEWER)["version"] == "1.0.0"
    path = f"{BASE}/proposals/1.1.0"
    assert_problem(site.ask("POST", f"{path}/approve", LEAD, json={}), 409, "another lead has to approve it")
    assert_problem(site.ask("POST", f"{BASE}/versions", LEAD, json=asked(site)), 409, "waits to be decided on")
    done = post(site, "/proposals/1.1.0/approve", Role.ADMIN, {"reason": "read the diff"})
    assert (done["proposal"]["state"], len(done["published"]["relabel"]["notes"]) > 0) == ("approved", True)
    newest = site.get(f"{BASE}/versions", Role.VIEWER)[0]
    assert (newest["version"], newest["actor"]) == ("1.1.0", site.keys[LEAD].split("_")[1])
    assert_problem(site.ask("POST", f"{path}/approve", Role.ADMIN, json={}), 409, "is published already")
    assert_problem(site.ask("POST", f"{path}/reject", LEAD, json={}), 409, "approved already")
    assert [one["decision_reason"] for one in site.get(f"{BASE}/proposals", Role.VIEWER)] == ["read the diff"]
    assert_problem(site.ask("POST", f"{BASE}/versions", LEAD, json=asked(site)), 422, "does not rise above")
    post(site, "/versions", LEAD, asked(site, "1.2.0"))
    assert post(site, "/proposals/1.2.0/reject", LEAD, {"reason": "mine"})["state"] == "rejected"
    assert_problem(site.ask("POST", f"{BASE}/proposals/9.0.0/reject", LEAD, json={}), 404, "was never proposed")


def test_what_is_asked_wrongly_is_said(site: Site) -> None:
    for method, path in (("GET", "/v1/policies/nobody"), ("GET", "/v1/policies/nobody/versions")):
        assert_problem(site.ask(method, path), 404, "'nobody' is not published")
    assert_problem(site.ask("GET", f"{BASE}/versions/9.0.0"), 404, "no version 9.0.0")
    assert_problem(site.ask("GET", f"{BASE}/bridge"), 404, "no bridge yet")
    assert_problem(site.ask("POST", f"{BASE}/relabel", json={}), 409, "no stale label")
    other = asked(site)
    assert_problem(site.ask("POST", "/v1/policies/violence/preview", json=other), 422, "the text is that of")
    assert_problem(site.ask("POST", "/v1/policies/x.yaml/preview", json={**other, "text": None}), 404, "has no file")
    assert_problem(site.ask("POST", f"{BASE}/preview", json={"kinds": ["widen"], "reason": "x"}), 422)
    assert_problem(site.ask("GET", f"{BASE}/stale?limit=0", LEAD), 422)
    retire = {"kinds": ["retire"], "reason": "covered elsewhere"}
    assert post(site, "/preview", Role.ENGINEER, retire)["retired"] == 30
    site.refused("POST", f"{BASE}/versions", LEAD, json=other)
    site.refused("GET", f"{BASE}/stale", LEAD)
    site.refused("POST", f"{BASE}/preview", Role.ENGINEER, json=other)
