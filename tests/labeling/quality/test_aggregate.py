from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.quality.aggregate import AGGREGATORS, majority
from labeling.quality.pooled import pooled
from labeling.quality.votes import Votes
from tests.labeling.quality.crowds import CLASSES, COMMON, Crowd, adversary, crowd, honest, spammer

ANCHORED = ("dawid_skene", "pooled")
TRIPLES = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.sampled_from("xyz"), st.sampled_from(CLASSES)),
    min_size=1,
    max_size=18,
    unique_by=lambda row: row[:2],
)


@pytest.fixture(scope="module")
def mixed() -> Crowd:
    people = [honest(0.9)] * 6 + [spammer((0.1, 0.1, 0.8))] * 4
    return crowd(people, COMMON, items=300)


@pytest.mark.parametrize("name", AGGREGATORS)
def test_every_aggregator_gives_a_distribution_an_item_and_is_the_same_in_any_order(name: str, mixed: Crowd) -> None:
    votes = mixed.votes
    triples = [
        (votes.item_names[i], votes.people_names[p], votes.classes[k])
        for i, p, k in zip(votes.items, votes.people, votes.labels, strict=True)
    ]
    shuffled = [triples[i] for i in np.random.default_rng(5).permutation(len(triples))]
    gold = mixed.gold(30)
    found, again = (AGGREGATORS[name](Votes.of(rows, CLASSES), gold) for rows in (triples, shuffled))
    assert found.method == name
    assert found.probabilities.shape == (300, 3)
    assert np.allclose(found.probabilities.sum(axis=1), 1)
    assert ((found.reliability >= 0) & (found.reliability <= 1)).all()
    assert np.array_equal(found.probabilities, again.probabilities)
    assert np.array_equal(found.reliability, again.reliability)
    assert mixed.accuracy(found.labels, gold) > 0.7


@pytest.mark.parametrize("name", ANCHORED)
def test_gold_fixes_its_items_and_tells_who_lies(name: str) -> None:
    liars = crowd([honest(0.9)] * 4 + [adversary(0.95)] * 6, COMMON, items=300)  # most answers are wrong
    gold = liars.gold(60)
    without, with_gold = (AGGREGATORS[name](liars.votes, known) for known in ({}, gold))
    assert liars.accuracy(without.labels, gold) < 0.6
    assert liars.accuracy(with_gold.labels, gold) > 0.85
    places = {item: i for i, item in enumerate(liars.votes.item_names)}
    assert all(CLASSES[with_gold.labels[places[item]]] == label for item, label in gold.items())


@pytest.mark.parametrize("name", ["dawid_skene", "mace", "pooled"])
def test_who_does_not_look_is_believed_less(name: str, mixed: Crowd) -> None:
    reliability = AGGREGATORS[name](mixed.votes, mixed.gold(60)).reliability
    assert reliability[:6].mean() > reliability[6:].mean()


def test_a_tie_goes_to_the_class_with_more_votes_in_all() -> None:
    votes = Votes.of([("a", "x", "allowed"), ("a", "y", "violates"), ("b", "x", "violates")], CLASSES)
    assert [CLASSES[k] for k in majority(votes).labels] == ["violates", "violates"]


@settings(deadline=None, max_examples=60)
@given(TRIPLES, st.randoms(use_true_random=False))
def test_the_order_of_the_votes_never_counts(triples: list[tuple[str, str, str]], random: object) -> None:
    mixed_up = triples.copy()
    random.shuffle(mixed_up)  # type: ignore[attr-defined]
    for aggregate in (majority, pooled):
        found, again = (aggregate(Votes.of(rows, CLASSES), {"a": "allowed"}) for rows in (triples, mixed_up))
        assert np.array_equal(found.probabilities, again.probabilities)


@settings(deadline=None, max_examples=60)
@given(TRIPLES)
def test_unanimous_items_keep_their_answer_under_the_majority(triples: list[tuple[str, str, str]]) -> None:
    votes = Votes.of(triples, CLASSES)
    counts = votes.counts()
    clear = np.flatnonzero(counts.max(axis=1) == counts.sum(axis=1))
    assert (majority(votes).labels[clear] == counts[clear].argmax(axis=1)).all()
