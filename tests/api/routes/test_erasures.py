from __future__ import annotations

import pytest

from api.auth import Role
from api.jobs import steps
from labeling.erasure import standings
from labeling.errors import StoreError
from tests.api.client import assert_problem
from tests.api.routes.conftest import Site
from tests.api.site import stock

GIVEN = {"external_id": "post-1", "reason": "asked by its author"}


def test_an_item_is_held_then_erased(site: Site) -> None:
    stock(site.goldfold, 3)
    held = site.ask("POST", "/v1/holds/post-1", Role.ADMIN, json={"reason": "case 114"})
    assert (held.status_code, held.json()["released_at"]) == (201, None)
    assert [one["reason"] for one in site.get("/v1/holds", Role.LEAD)] == ["case 114"]
    assert_problem(site.ask("POST", "/v1/erasures", Role.ADMIN, json=GIVEN), 409, "under a legal hold")
    released = site.ask("POST", "/v1/holds/post-1/release", Role.ADMIN, json={"reason": "closed"})
    assert [one["release_reason"] for one in released.json()] == ["closed"]
    tried = site.ask("POST", "/v1/erasures", Role.ADMIN, json=GIVEN | {"dry_run": True}).json()
    assert (tried["erasure"], tried["reach"]["external_id"]) == (None, "post-1")
    assert site.get("/v1/erasures", Role.LEAD) == []
    done = site.ask("POST", "/v1/erasures", Role.ADMIN, json=GIVEN)
    assert (done.status_code, done.json()["erasure"]["left"]) == (201, [])
    (listed,) = site.get("/v1/erasures", Role.LEAD)
    assert listed["erasure"]["reason"] == GIVEN["reason"]
    assert_problem(site.ask("GET", "/v1/items/post-1"), 404, "post-1")
    ack = site.ask("POST", "/v1/erasures/post-1/acknowledgements", Role.LEAD, json={"recipient": "team"})
    assert_problem(ack, 404, "nobody had to ask")


def test_erasing_and_holding_are_for_admins(site: Site) -> None:
    site.refused("POST", "/v1/erasures", Role.ADMIN, json=GIVEN)
    site.refused("POST", "/v1/holds/post-1", Role.ADMIN, json={"reason": "why"})
    site.refused("GET", "/v1/erasures", Role.LEAD)
    assert_problem(site.ask("POST", "/v1/erasures", Role.ADMIN, json=GIVEN), 404, "post-1")


def test_a_sync_goes_on_with_an_erasure_that_was_killed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    stock(site.goldfold, 3)
    ledger = site.goldfold.ledger
    ledger.erasures.begin(ledger.items.named("post-1").item_id, "dpo", "asked by its author")
    with monkeypatch.context() as patch:
        patch.setattr(type(ledger.erasures), "scrub", lambda _: (_ for _ in ()).throw(StoreError("locked")))
        assert steps.stops(site.goldfold) == {"stopped": 0, "removed": 0}
    assert standings(ledger)[0].left == ("ledger",)
    steps.stops(site.goldfold)
    assert standings(ledger)[0].left == ()
    assert ledger.items.named("post-1").item_id not in site.goldfold.lake.ids()
