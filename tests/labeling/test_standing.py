"""Promotion by real answers of people in a real ledger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from labeling.errors import Conflict, InvalidInput, NotFound
from labeling.golden.audit import check
from labeling.records import Answer, GoldAction, GoldState, Task, TaskKind, Tier
from labeling.roster import add_person
from labeling.standing import Changed, change
from tests.labeling.shop import NO, Shop, open_shop, yes

EXPERTS = ("ann", "bob", "cat")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    opened = open_shop(tmp_path)
    yield opened
    opened.ledger.close()


def labelled(shop: Shop, *answers: Answer | None, overlap: int = 2) -> Task:
    """One item of one round, answered and folded."""
    task = shop.stocked(6).send("r1", 1, policies=("harm",), overlap=overlap)[0]
    shop.answer(task, *answers)
    shop.settle()
    return task


def ask(shop: Shop, task: Task, action: GoldAction = GoldAction.PROMOTED, **more: object) -> Changed:
    leads = ("Cat@Example.org",)
    given: dict[str, object] = {"actor": "lead", "reason": "looked at", "leads": leads} | more
    return change(shop.ledger, task.item_id, "harm", action, **given)  # type: ignore[arg-type]


def marked(shop: Shop, *names: str) -> None:
    for name in names:
        add_person(shop.ledger.people, shop.policies, "lead", f"{name}@example.org", {"expert": True})


def test_three_unanimous_experts_make_an_anchor(shop: Shop) -> None:
    marked(shop, "ann", "bob")
    task = labelled(shop, yes(), yes(severity=3), yes(), overlap=3)
    tried = ask(shop, task, dry_run=True)
    assert (tried.tier_before, tried.tier, tried.dry_run) == ("golden", "anchor", True)
    assert shop.ledger.golden.items()[0].tier is Tier.GOLDEN
    ask(shop, task)
    assert shop.ledger.golden.items()[0].tier is Tier.ANCHOR
    event = shop.ledger.golden.events(task.item_id)[-1]
    assert (event.action, event.actor, event.reason) == (GoldAction.PROMOTED, "lead", "looked at")
    with pytest.raises(Conflict, match="the highest"):
        ask(shop, task)
    assert ask(shop, task, GoldAction.DEMOTED).tier == "golden"
    assert check(shop.ledger.golden).events == 3


def test_two_experts_and_somebody_else_do_not(shop: Shop) -> None:
    marked(shop, "ann")
    task = labelled(shop, yes(), yes(), yes(), overlap=3)
    with pytest.raises(Conflict, match="2 people of the experts said so blind; an anchor needs 3"):
        ask(shop, task)


def test_one_expert_who_says_otherwise_is_enough_against_it(shop: Shop) -> None:
    marked(shop, "ann", "bob", "dan")
    task = labelled(shop, yes(), yes())
    shop.answer(task, yes(), yes(), yes(), NO, people=("ann", "bob", "cat", "dan"))
    with pytest.raises(Conflict, match="1 person of the experts said otherwise; an anchor is unanimous"):
        ask(shop, task)


def test_another_rule_is_another_answer(shop: Shop) -> None:
    marked(shop, "ann", "bob")
    task = labelled(shop, yes(), yes())
    shop.answer(task, yes(), yes(), yes("other_rule"))
    with pytest.raises(Conflict, match="unanimous"):
        ask(shop, task)


def test_golden_needs_two_people_who_answered_blind(shop: Shop) -> None:
    task = labelled(shop, yes(), overlap=1)
    assert shop.ledger.golden.items()[0].tier is Tier.PROVISIONAL
    with pytest.raises(Conflict, match="1 person said so blind; it needs 2, or a lead's decision"):
        ask(shop, task)
    shop.answer(task, yes(), yes())
    assert ask(shop, task).tier == "golden"


def test_an_answer_beside_a_suggestion_certifies_nothing(shop: Shop) -> None:
    task = labelled(shop, yes(), overlap=1)
    twin = {"task_id": "assisted", "kind": TaskKind.ASSISTED, "parent_task_id": task.task_id}
    assisted = type(task)(**{name: getattr(task, name) for name in task.__dataclass_fields__} | twin)
    shop.ledger.tasks.add([assisted])
    shop.answer(assisted, None, yes(), yes())
    with pytest.raises(Conflict, match="1 person said so blind"):
        ask(shop, task)


def test_a_leads_decision_makes_an_item_golden_from_the_start(shop: Shop) -> None:
    task = labelled(shop, yes(), NO)
    question = shop.ledger.tasks.where(kind=TaskKind.ADJUDICATION)[0]
    shop.deliver()
    shop.answer(question, yes(), people=("lead",))
    shop.settle()
    assert shop.ledger.golden.rows_of(task.item_id)[0].tier is Tier.GOLDEN


def test_states_come_and_go_with_their_reasons(shop: Shop) -> None:
    task = labelled(shop, yes(), yes())
    for action, state in (
        (GoldAction.QUARANTINED, GoldState.QUARANTINED),
        (GoldAction.RESTORED, GoldState.ACTIVE),
        (GoldAction.RETIRED, GoldState.RETIRED),
        (GoldAction.RESTORED, GoldState.ACTIVE),
    ):
        assert ask(shop, task, action).state == state
        assert shop.ledger.golden.items()[0].state is state
    assert shop.ledger.audit.latest(1)[0]["action"] == "golden.restored"


def test_what_is_asked_wrongly_is_said(shop: Shop) -> None:
    task = labelled(shop, yes(), yes())
    with pytest.raises(InvalidInput, match="reason"):
        ask(shop, task, GoldAction.RETIRED, reason=" ")
    with pytest.raises(NotFound, match="'nobody' is not in the golden set"):
        change(shop.ledger, "nobody", None, GoldAction.RETIRED, actor="a", reason="b")
    with pytest.raises(NotFound, match="not gold under 'fraud'; it is under harm"):
        change(shop.ledger, task.item_id, "fraud", GoldAction.RETIRED, actor="a", reason="b")
    shop.answer(shop.send("r2", 6, policies=("fraud",))[0], yes(), yes())


def test_one_of_several_policies_must_be_named(shop: Shop) -> None:
    labelled(shop, yes(), yes())
    for task in shop.send("r2", 6, policies=("fraud",)):
        shop.answer(task, yes(), yes())
    shop.settle()
    item_id = next(row.item_id for row in shop.ledger.golden.items() if row.policy_id == "harm")
    name = shop.ledger.golden.rows_of(item_id)[0].external_id
    with pytest.raises(InvalidInput, match="is gold under fraud, harm; say which"):
        change(shop.ledger, name, None, GoldAction.RETIRED, actor="a", reason="b")
