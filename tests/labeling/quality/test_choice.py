from __future__ import annotations

from functools import partial

import pytest

from labeling.quality.aggregate import AGGREGATORS, majority
from labeling.quality.choice import choose_aggregator
from labeling.quality.pooled import pooled
from tests.labeling.quality.crowds import COMMON, KINDS, Crowd, crowd, hatecheck, honest, spammer
from tests.realdata import real_set

QUICK = {"majority": majority, "pooled": pooled}
WORSE = 0.015


def held(made: Crowd) -> dict[str, str]:
    return made.gold(200 if len(made.truth) > 300 else 20)


def check(made: Crowd) -> None:
    """What was chosen is nowhere below the majority by more than 1.5 points, on the items without gold."""
    gold = held(made)
    choice = choose_aggregator(made.votes, gold)
    chosen = made.accuracy(AGGREGATORS[choice.chosen](made.votes, gold).labels, gold)
    assert chosen >= made.accuracy(majority(made.votes).labels, gold) - WORSE, choice.reason
    assert set(choice.accuracy) == set(AGGREGATORS)
    assert all(figure.n == len(gold) for figure in choice.accuracy.values())


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_chosen_is_never_much_below_the_majority(kind: str) -> None:
    check(KINDS[kind](0))


@pytest.mark.slow
@pytest.mark.parametrize("overlap", [1, 2, 3, 5])
def test_nor_is_it_for_the_ten_annotators_of_hatecheck(overlap: int) -> None:
    check(hatecheck(real_set("hatecheck.jsonl.gz"), overlap))


def test_hatechecks_gold_is_what_most_of_its_five_annotators_say() -> None:
    made = hatecheck(real_set("hatecheck.jsonl.gz"))
    assert (len(made.truth), len(made.votes), len(made.votes.people_names)) == (3728, 18640, 10)
    assert made.accuracy(majority(made.votes).labels, {}) == 1.0
    assert made.accuracy(pooled(made.votes, {}).labels, {}) > 0.99


def test_gold_that_speaks_clearly_is_followed() -> None:
    made = crowd([honest(0.9)] * 6 + [spammer((0.2, 0.1, 0.7))] * 9, COMMON, items=800)
    choice = choose_aggregator(made.votes, made.gold(200), candidates=QUICK)
    assert choice.chosen == "pooled"
    assert "McNemar" in choice.reason
    assert choice.accuracy["pooled"].n == 200
    assert choice.as_dict()["chosen"] == "pooled"


def test_gold_that_cannot_tell_leaves_the_majority() -> None:
    made = KINDS["good"](1)
    choice = choose_aggregator(made.votes, made.gold(100), candidates=QUICK)
    assert choice.chosen == "majority"


def test_too_little_gold_leaves_the_majority_without_a_figure() -> None:
    made = KINDS["spammers"](0)
    choice = choose_aggregator(made.votes, made.gold(12), candidates=QUICK)
    assert (choice.chosen, choice.accuracy["pooled"].value) == ("majority", None)
    assert "too few" in choice.reason
    nothing = choose_aggregator(made.votes, {}, candidates=QUICK)
    assert (nothing.chosen, nothing.accuracy["pooled"].n) == ("majority", 0)
    assert "no held-out gold" in nothing.reason


def test_an_item_is_judged_without_its_own_gold_and_that_of_its_near_duplicates() -> None:
    made = KINDS["few_votes"](0)
    gold = made.gold(30)
    asked: list[set[str]] = []

    def spy(votes: object, known: dict[str, str]) -> object:
        asked.append(set(gold) - set(known))
        return pooled(made.votes, known)

    groups = {item: f"g{int(item[1:]) % 6}" for item in gold}
    choose_aggregator(made.votes, gold, groups, {"majority": majority, "spy": spy})  # type: ignore[dict-item]
    assert set.union(*asked) == set(gold)
    for left_out in asked:
        assert {groups[item] for item in left_out}.isdisjoint(groups[item] for item in set(gold) - left_out)


def test_the_same_votes_choose_the_same() -> None:
    made = KINDS["few_votes"](1)
    choose = partial(choose_aggregator, made.votes, made.gold(30), candidates=QUICK)
    assert choose() == choose()
