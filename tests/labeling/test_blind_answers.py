from __future__ import annotations

from labeling.blind_answers import blind_answers
from labeling.golden.partition import Shares
from labeling.people import people
from labeling.records import TaskKind, TaskState
from tests.labeling.shop import NO, UNCLEAR, Shop, yes

OPEN = Shares(train=1.0, calibration=0.0, dev=0.0, sealed=0.0)


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


def test_a_task_in_quarantine_is_not_read(shop: Shop) -> None:
    shop.stocked(20)
    tasks = shop.send("r1", 4)
    for task in tasks:
        shop.answer(task, NO, None)
    shop.ledger.tasks.set_state([tasks[0].task_id], TaskState.QUARANTINED, "its text was edited")
    assert tasks[0].task_id not in {row.task_id for row in blind_answers(shop.ledger, shop.lake).answers}
    assert len(blind_answers(shop.ledger, shop.lake).answers) == 3


def test_the_model_has_no_vote_where_a_near_duplicate_was_gold(shop: Shop) -> None:
    shop.shares = OPEN
    shop.stocked(30)
    tasks = shop.send("r1", 10, lanes={"random": 1.0})
    for task in tasks:
        shop.answer(task, NO, NO)
    shop.settle()
    assert len(blind_answers(shop.ledger, shop.lake).model) == 10
    first, second, *_rest = shop.ledger.golden.items()
    shop.ledger.golden.regroup([first.group_id, second.group_id], first.group_id, first.partition)
    assert len(blind_answers(shop.ledger, shop.lake).model) == 8
