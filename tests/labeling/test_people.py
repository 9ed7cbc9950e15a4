from __future__ import annotations

import json

import pytest

from labeling.blind_answers import blind_answers
from labeling.errors import NotFound, NothingToDo
from labeling.golden.partition import Shares
from labeling.people import page_of, people
from labeling.records import TaskKind
from tests.labeling.shop import NO, UNCLEAR, Shop, items, yes

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
    for word in ('"value"', '"events"', '"target"'):
        assert word not in told
    assert '"low"' in told
    own = page_of(found, " Bob@Example.org ")
    assert own.person == "bob@example.org"
    assert '"value"' in json.dumps(own.as_dict(points=True))
    with pytest.raises(NotFound, match=r"'eve@example\.org' has answered no blind task"):
        page_of(found, "eve@example.org")


def test_only_blind_answers_count(staffed: Shop) -> None:
    assert "lead@example.org" not in {page.person for page in people(staffed.ledger, staffed.lake).pages}


def test_sealed_and_anchor_answers_are_withheld(shop: Shop) -> None:
    shop.shares = Shares(train=0.5, calibration=0.0, dev=0.0, sealed=0.5)
    shop.stocked(40)
    for task in shop.send("r1", 40, lanes={"random": 1.0}):
        shop.answer(task, NO, NO)
    shop.settle()
    sealed = len(shop.ledger.golden.items(partition="sealed"))
    told = blind_answers(shop.ledger, shop.lake)
    assert 0 < told.withheld == 2 * sealed
    assert len(told.answers) == 80 - told.withheld
    found = people(shop.ledger, shop.lake)
    assert (found.withheld, found.pages[0].answers) == (told.withheld, 40 - sealed)


def test_what_is_read_of_each_answer(shop: Shop) -> None:
    shop.shares = OPEN
    shop.stocked(20)
    tasks = shop.send("r1", 4, lanes={"random": 1.0})
    shop.answer(tasks[0], yes(), NO)
    shop.answer(tasks[1], UNCLEAR, None)
    shop.settle()
    shop.deliver()
    shop.answer(shop.ledger.tasks.where(kind=TaskKind.ADJUDICATION)[0], NO, people=("lead",))
    shop.settle()
    told = blind_answers(shop.ledger, shop.lake)
    assert len(told.answers) == 3
    row = next(r for r in told.answers if r.task_id == tasks[0].task_id)
    assert (row.person, row.language, row.length, row.lead_time_s) == ("ann@example.org", "en", len(tasks[0].text), 3.0)
    assert told.decided == {tasks[0].task_id: "allowed"}
    pick = {p.item_id: p for p in shop.ledger.rounds.picks("r1")}[tasks[0].item_id]
    assert told.model[tasks[0].task_id] == pick.probability
    shop.lake.delete([tasks[1].item_id])
    assert len(blind_answers(shop.ledger, shop.lake).answers) == 3


def test_nobody_has_answered(shop: Shop) -> None:
    with pytest.raises(NothingToDo, match="nobody has answered a blind task"):
        people(shop.ledger, shop.lake)
