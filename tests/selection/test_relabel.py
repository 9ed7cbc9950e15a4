from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection.errors import BadPool
from selection.relabel import (
    ACCURACIES,
    ACCURACY,
    FEW,
    LEAST_WEIGHT,
    UNKNOWN,
    SecondLooks,
    Voices,
    voices,
    worth_again,
    worth_new,
)

SHARES = st.floats(0.0, 1.0)
WEIGHTS = st.floats(LEAST_WEIGHT, 1.0)


def looks(votes: list[list[tuple[int, bool]]], chances: list[float], answers: list[bool] | None = None) -> SecondLooks:
    """One pair a list of votes (person, agrees); ``chances`` of violating."""
    flat = [(pair, *vote) for pair, mine in enumerate(votes) for vote in mine]
    columns = np.array(flat, np.int64).reshape(len(flat), 3)
    return SecondLooks(
        ids=tuple(f"i{n:03}" for n in range(len(votes))),
        policies=np.zeros(len(votes), np.int64),
        answers=np.array(answers or [True] * len(votes), np.bool_),
        probabilities=np.array(chances, np.float64),
        groups=np.arange(len(votes)),
        pairs=columns[:, 0],
        people=columns[:, 1],
        agree=columns[:, 2].astype(np.bool_),
    )


def worth(agreeing: int, others: int, chance: float, found: Voices) -> float:
    votes = [(UNKNOWN, True)] * agreeing + [(UNKNOWN, False)] * others
    return float(worth_again(looks([votes], [chance]), found)[0])


@st.composite
def heard(draw: st.DrawFn) -> Voices:
    mean = draw(WEIGHTS)
    return Voices(mean * draw(st.floats(0.1, 1.0)), mean, np.ones(0), draw(st.floats(*ACCURACIES)), known=True)


@given(heard(), SHARES, st.integers(0, 5), st.integers(0, 5))
def test_an_agreeing_answer_never_raises_the_worth_and_one_against_never_lowers_it(
    found: Voices, chance: float, agreeing: int, others: int
) -> None:
    before = worth(agreeing, others, chance, found)
    assert 0 <= before <= 2
    assert worth(agreeing + 1, others, chance, found) <= before + 1e-12
    assert worth(agreeing, others + 1, chance, found) >= before - 1e-12


@given(heard(), SHARES, SHARES, st.integers(1, 5), st.integers(0, 5))
def test_the_more_the_model_contradicts_a_label_the_more_a_look_is_worth(
    found: Voices, one: float, other: float, agreeing: int, others: int
) -> None:
    sure, contradicted = max(one, other), min(one, other)
    assert worth(agreeing, others, contradicted, found) >= worth(agreeing, others, sure, found) - 1e-12
    assert worth(agreeing, others, 0.05, found) > worth(agreeing, others, 0.95, found)
    turned = looks([[(UNKNOWN, True)] * agreeing], [1 - contradicted], [False])  # the same of the other answer
    assert worth_again(turned, found)[0] == pytest.approx(worth(agreeing, 0, contradicted, found))


@given(heard(), SHARES)
def test_three_who_agree_are_worth_less_than_a_new_pair_at_the_boundary(found: Voices, chance: float) -> None:
    assert worth(3, 0, chance, found) < float(worth_new(np.array([0.5]), found)[0]) == pytest.approx(1.0)


@given(heard(), SHARES)
def test_a_pair_nobody_judged_has_the_worth_of_a_label_without_answers_behind_it(found: Voices, chance: float) -> None:
    new = float(worth_new(np.array([chance]), found)[0])
    assert new == pytest.approx(worth(0, 0, max(chance, 1 - chance), found))
    assert 0 < new <= 1 + 1e-12
    assert new == pytest.approx(float(worth_new(np.array([1 - chance]), found)[0]))


def test_a_doubtful_label_beats_a_new_pair_and_a_safe_one_does_not() -> None:
    found = voices(looks([[(0, True)]], [0.5]))
    assert worth(1, 0, 0.02, found) > 1.0 > worth(1, 0, 0.9, found)
    assert worth(1, 0, 0.3, found) > float(worth_new(np.array([0.2]), found)[0])
    # by hand: base = (0.02 + 0.5) / 2, trust = (2 * 0.26 + 0.85) / 3
    assert worth(1, 0, 0.02, found) == pytest.approx(2 * (1 - (2 * 0.26 + 0.85) / 3))


def crowd(errors: list[float], pairs: int = 400, seed: int = 0, share: float = 0.5) -> SecondLooks:
    """Everybody answers every pair, wrong as often as ``errors`` says; the label is the truth."""
    rng = np.random.default_rng(seed)
    truth = rng.random(pairs) < share
    votes = [[(person, bool(rng.random() >= error)) for person, error in enumerate(errors)] for _ in range(pairs)]
    return looks(votes, np.where(truth, 0.9, 0.1).tolist(), truth.tolist())


def test_people_are_weighed_by_their_agreement_and_the_accuracy_is_found() -> None:
    found = voices(crowd([0.05, 0.05, 0.4]))
    assert found.known
    assert found.people[2] < 0.5 * found.people[0]
    assert found.accuracy == pytest.approx(1 - 0.5 / 3, abs=0.02)
    assert found.model <= found.mean <= 1
    assert found.of(np.array([2, UNKNOWN, 0])).tolist() == [found.people[2], found.mean, found.people[0]]


def test_nobody_counts_for_nothing_under_a_rare_policy() -> None:
    found = voices(crowd([0.2, 0.2, 0.2], share=0.02))
    assert (found.people >= LEAST_WEIGHT).all()
    assert found.model >= LEAST_WEIGHT


@pytest.mark.parametrize("pairs", [0, 1, FEW - 1])
def test_without_two_answers_to_enough_labels_everybody_counts_alike(pairs: int) -> None:
    double = [[(0, True), (1, False)]] * pairs
    found = voices(looks([*double, *[[(2, True)]] * 30], [0.5] * (pairs + 30)))
    assert (found.known, found.model, found.mean, found.accuracy) == (False, 1.0, 1.0, ACCURACY)
    assert found.people.tolist() == [1.0, 1.0, 1.0]
    assert voices(looks([*[[(0, True), (1, True)]] * FEW], [0.5] * FEW)).known


def test_a_lead_decides_a_label_and_is_not_held_against_people() -> None:
    with_lead = looks([[(0, True), (1, False), (UNKNOWN, True)]] * 30, [0.5] * 30)
    without = looks([[(0, True), (1, False)]] * 30, [0.5] * 30)
    first, second = voices(with_lead), voices(without)
    assert (first.accuracy, first.people.tolist()) == (second.accuracy, second.people.tolist())
    assert (worth_again(with_lead, first) < worth_again(without, first)).all()


@given(st.integers(0, 2**32 - 1))
def test_the_order_of_pairs_and_answers_means_nothing(seed: int) -> None:
    made = crowd([0.1, 0.2, 0.3], pairs=40)
    rng = np.random.default_rng(seed)
    order, votes = rng.permutation(len(made)), rng.permutation(len(made.pairs))
    place = np.argsort(order)
    other = replace(
        made,
        ids=tuple(made.ids[row] for row in order),
        policies=made.policies[order],
        answers=made.answers[order],
        probabilities=made.probabilities[order],
        groups=made.groups[order],
        pairs=place[made.pairs[votes]],
        people=made.people[votes],
        agree=made.agree[votes],
    )
    first, second = voices(made), voices(other)
    np.testing.assert_allclose(first.people, second.people, rtol=1e-12)
    np.testing.assert_allclose(worth_again(made, first)[order], worth_again(other, second), rtol=1e-12)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"probabilities": np.array([1.5])}, "probabilities: expected numbers from 0 to 1"),
        ({"probabilities": np.array([np.nan])}, "probabilities: expected numbers from 0 to 1"),
        ({"policies": np.zeros(2, np.int64)}, "policies: expected"),
        ({"people": np.zeros(0, np.int64)}, "people: expected"),
        ({"pairs": np.array([1])}, "pairs: expected rows from 0 to 0"),
    ],
)
def test_what_does_not_fit_is_named(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(BadPool, match=field):
        replace(looks([[(0, True)]], [0.5]), **changes)
