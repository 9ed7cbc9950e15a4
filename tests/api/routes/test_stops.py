from __future__ import annotations

from dataclasses import replace

import pytest

from api.auth import Role
from labeling.records import Answer, Outcome
from labeling.stops import purge
from tests.api.client import assert_problem
from tests.api.routes.conftest import Site
from tests.api.site import event_of, score_all, select, stock

PATH = "/v1/stops"


@pytest.fixture
def stopped(site: Site) -> Site:
    stock(site.goldfold)
    score_all(site.goldfold)
    select(site.goldfold)
    ledger = site.goldfold.ledger
    first = ledger.tasks.where()[0]
    flag = replace(event_of(site.goldfold, (0, first), 1), answer=Answer(Outcome.LEGAL_STOP))
    ledger.annotations.append([flag])
    purge(ledger.stops, site.goldfold.lake, site.goldfold.cache_dir)
    return site


def test_a_lead_lists_the_stubs_and_lifts_a_wrong_flag(stopped: Site) -> None:
    (stub,) = stopped.get(PATH, Role.LEAD)
    assert stub["who"] == "person1@example.com"
    assert stub["purged_at"] is not None
    assert not {"text", "media"} & stub.keys()
    lift = f"{PATH}/{stub['external_id']}/lift"
    assert_problem(stopped.ask("POST", lift, Role.LEAD, json={"reason": ""}), 422, "reason")
    (lifted,) = stopped.ask("POST", lift, Role.LEAD, json={"reason": "a drawing"}).json()
    assert lifted["reason"] == "a drawing"
    assert stopped.get(PATH, Role.LEAD) == []
    assert stopped.get(f"{PATH}?lifted=true", Role.LEAD) == [lifted]
    assert_problem(stopped.ask("POST", lift, Role.LEAD, json={"reason": "again"}), 404, "is stopped")


def test_only_leads_may(stopped: Site) -> None:
    stopped.refused("GET", PATH, Role.LEAD)
    stopped.refused("POST", f"{PATH}/any/lift", Role.LEAD, json={"reason": "because"})


def test_a_stopped_item_is_not_shown_and_not_taken_again(stopped: Site) -> None:
    (stub,) = stopped.get(PATH, Role.LEAD)
    assert_problem(stopped.ask("GET", f"/v1/items/{stub['external_id']}"), 404, stub["external_id"])
    again = {
        "items": [{"external_id": stub["external_id"], "text": "words"}, {"external_id": "new", "text": "new words"}]
    }
    told = stopped.ask("POST", "/v1/items", json=again)
    assert (told.status_code, told.json()["added"], told.json()["stopped"]) == (201, 1, 1)
