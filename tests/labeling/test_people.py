from __future__ import annotations

import json

import pytest

from labeling.errors import NotFound, NothingToDo
from labeling.golden.partition import Shares
from labeling.people import answered_items, own_page, page_of, people
from labeling.records import TaskKind
from tests.figures import assert_whole
from tests.labeling.shop import NO, Shop, items, yes

OPEN = Shares(train=1.0, calibration=0.0, dev=0.0, sealed=0.0)


@pytest.fixture
def staffed(shop: Shop) -> Shop:
    """Ann and Cat are right, Bob says allowed to every second violation; of each dispute a lead decides."""
    shop.shares = OPEN
    shop.ingest(items(range(60)))
    shop.ingest(items(range(60, 100), "coisa {n} diz w{n} v{n}", language="pt"))
    shop.score()
    for task in shop.send("r1", 100, lanes={"random": 1.0}, overlap=3):
        number = int(task.item_id[3:])
        true = yes() if number % 2 == 0 else NO
        shop.answer(task, true, NO if number % 4 == 0 else true, true)
    shop.settle()
    shop.deliver()
    for question in shop.ledger.tasks.where(kind=TaskKind.ADJUDICATION):
        shop.answer(question, yes(), people=("lead",))
    shop.settle()
    return shop


def test_each_person_has_a_page_by_policy_and_language(staffed: Shop) -> None:
    found = people(staffed.ledger, staffed.lake)
    assert [page.person for page in found.pages] == ["ann@example.org", "bob@example.org", "cat@example.org"]
    ann, bob, _cat = found.pages
    assert (ann.answers, ann.timed, ann.parts[0].policy, ann.parts[0].right.n) == (100, 100, "", 100)
    assert {(part.policy, part.language) for part in ann.parts} == {
        ("", ""),
        *((policy, language) for policy in ("fraud", "harm") for language in ("", "en", "pt")),
    }
    assert sum(part.right.n for part in ann.parts if part.policy and not part.language) == 100
    seen = bob.parts[0].confusion["violates"]["violates"]
    assert seen.value == pytest.approx(0.5, abs=0.1)
    assert seen.low < 0.5 < seen.high
    assert ann.parts[0].confusion["violates"]["violates"].low > 0.8
    assert bob.parts[0].right.high < ann.parts[0].right.low
    assert people(staffed.ledger, staffed.lake) == found


def test_a_lead_sees_intervals_and_a_person_their_points(staffed: Shop) -> None:
    found = people(staffed.ledger, staffed.lake)
    told = json.dumps(found.as_dict())
    assert {figure["value"] for figure in assert_whole(found.as_dict(), 4)} == {None}
    for word in ('"events"', '"target"'):
        assert word not in told
    assert '"low"' in told
    own = page_of(found, " Bob@Example.org ")
    assert own.person == "bob@example.org"
    mine = own_page(found, " Bob@Example.org ")
    assert any(figure["value"] is not None for figure in assert_whole(mine, 4))
    items = answered_items(staffed.ledger, staffed.lake, "Bob@example.org")
    assert 0 < len(items) <= own.answers
    with pytest.raises(NotFound, match=r"'eve@example\.org' has answered no blind task"):
        page_of(found, "eve@example.org")


def test_only_blind_answers_count(staffed: Shop) -> None:
    assert "lead@example.org" not in {page.person for page in people(staffed.ledger, staffed.lake).pages}


def test_nobody_has_answered(shop: Shop) -> None:
    with pytest.raises(NothingToDo, match="nobody has answered a blind task"):
        people(shop.ledger, shop.lake)


def test_figures_without_an_end_are_json_all_the_same(shop: Shop) -> None:
    shop.shares = OPEN
    shop.stocked(10)
    for task in shop.send("r1", 4, lanes={"random": 1.0}):
        shop.answer(task, NO, NO)
    page = people(shop.ledger, shop.lake).pages[0]
    assert page.speed.ratio.verdict == "insufficient"
    for points in (True, False):
        assert "Infinity" not in json.dumps(page.as_dict("1.0.0", points=points))
