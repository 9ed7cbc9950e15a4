from __future__ import annotations

import json
from dataclasses import replace

import pytest

from labeling.agreements import agreed_items, agreements
from labeling.errors import NothingToDo
from labeling.golden.partition import Shares
from labeling.quality.aggregate import AGGREGATORS
from labeling.records import TaskKind
from tests.figures import assert_whole
from tests.labeling.shop import NO, Shop, yes

OPEN = Shares(train=1.0, calibration=0.0, dev=0.0, sealed=0.0)


@pytest.fixture
def answered(shop: Shop) -> Shop:
    """Sixty tasks of one policy; on a fifth of them the two differ in the rule."""
    shop.shares = OPEN
    shop.stocked(60)
    for task in shop.send("r1", 60, lanes={"random": 1.0}, policies=("harm",)):
        number = int(task.item_id[3:])
        if number % 5 == 0:
            shop.answer(task, yes("general", 1), yes("other_rule", 2))
        elif number % 5 == 1:
            shop.answer(task, yes("general", 1), NO)
        else:
            shop.answer(task, *(2 * [yes("general", number % 4)] if number % 2 else [NO, NO]))
    shop.settle()
    return shop


def test_agreement_by_policy_language_and_rule(answered: Shop) -> None:
    found = agreements(answered.ledger, answered.lake)
    assert [(cell.policy, cell.language, cell.rule_id) for cell in found.cells] == [
        ("", "", ""),
        ("harm", "", ""),
        ("harm", "en", ""),
        ("harm", "", "general"),
        ("harm", "", "other_rule"),
    ]
    whole, rule = found.cells[0], found.cells[-1]
    assert (whole.outcome.observed.n, whole.outcome.observed.value) == (60, 0.8)
    assert whole.rule is not None
    assert whole.rule.observed.value == pytest.approx(0.6)
    assert whole.severity is not None
    assert whole.severity.ac2.n == 30  # where both say that it violates
    assert (rule.rule, rule.severity) == (None, None)
    assert rule.outcome.observed.n == 42
    assert rule.outcome.observed.events == 30
    assert json.loads(json.dumps(found.as_dict()))["consensus"] == {}
    assert_whole(found.as_dict(), 7)
    assert len(agreed_items(answered.ledger, answered.lake)) == 60
    assert len(agreed_items(answered.ledger, answered.lake, policy=rule.policy, rule=rule.rule_id)) == 42
    assert agreements(answered.ledger, answered.lake) == found


def test_the_aggregator_is_chosen_by_what_leads_decided(answered: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(AGGREGATORS, "mace")  # seconds
    answered.deliver()
    for question in answered.ledger.tasks.where(kind=TaskKind.ADJUDICATION):
        answered.answer(question, NO if "Answer A: allowed" in question.prompt else yes(), people=("lead",))
    answered.settle()
    choice = agreements(answered.ledger, answered.lake, consensus=True).consensus["harm"]
    assert set(choice.accuracy) == {"majority", "dawid_skene", "pooled", "pooled_with_model"}
    assert choice.accuracy["majority"].n == 24
    assert choice.chosen in choice.accuracy


def test_a_rare_class_is_warned_of(shop: Shop) -> None:
    shop.shares = OPEN
    shop.stocked(60)
    for n, task in enumerate(shop.send("r1", 60, lanes={"random": 1.0}, policies=("harm",))):
        shop.answer(task, yes() if n < 2 else NO, NO)
    whole = agreements(shop.ledger, shop.lake).cells[0]
    assert "mislead on rare classes" in whole.outcome.warnings[0]


def test_near_duplicates_are_one_observation(answered: Shop) -> None:
    plain = agreements(answered.ledger, answered.lake).cells[0].outcome.observed
    (first, *_rest) = rows = answered.ledger.golden.items()
    answered.ledger.golden.regroup([row.group_id for row in rows], first.group_id, first.partition)
    grouped = agreements(answered.ledger, answered.lake).cells[0].outcome.observed
    assert grouped.value == plain.value
    assert (grouped.high - grouped.low) != pytest.approx(plain.high - plain.low)
    assert replace(grouped, low=plain.low, high=plain.high) == plain


def test_no_task_has_two_answers(shop: Shop) -> None:
    shop.stocked(10)
    shop.answer(shop.send("r1", 4)[0], yes(), None)
    with pytest.raises(NothingToDo, match="no blind task has two answers"):
        agreements(shop.ledger, shop.lake)
