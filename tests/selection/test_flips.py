"""The chance that a changed policy turns a label, and the draw of a bridge."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selection.errors import BadSample
from selection.estimation import hajek
from selection.flips import bridge_draw, flip_chances, flip_order


def chances(
    violates: list[bool], said: list[float], votes: list[int], against: list[int], heard: list[bool] | None = None
) -> list[float]:
    may = np.array(heard if heard is not None else [True] * len(violates))
    found = flip_chances(np.array(violates), np.array(said), np.array(votes), np.array(against), may)
    return [round(float(one), 4) for one in found]


def test_the_model_is_one_voice_beside_the_people() -> None:
    assert chances([False], [0.6], [2], [0]) == [0.2]
    assert chances([True], [0.6], [2], [0]) == [round(0.4 / 3, 4)]
    assert chances([False], [0.6], [2], [1]) == [round(1.6 / 3, 4)]
    assert chances([True], [0.6], [0], [0]) == [0.4]


def test_where_the_model_may_not_speak_it_moves_nobody() -> None:
    found = chances([False] * 4, [0.9, 0.5, 0.99, np.nan], [2, 2, 2, 2], [0, 0, 0, 0], [True, True, False, True])
    assert found[2] == found[3] == round(0.7 / 3, 4)
    assert chances([False], [0.99], [2], [0], [False]) == [round(0.5 / 3, 4)]


@given(st.booleans(), st.floats(0, 1), st.integers(0, 5), st.integers(0, 5))
def test_a_chance_is_one_and_rises_with_those_against(yes: bool, said: float, votes: int, against: int) -> None:
    against = min(votes, against)
    (found,) = chances([yes], [said], [votes], [against])
    assert 0 <= found <= 1
    if against < votes:
        assert found < chances([yes], [said], [votes], [against + 1])[0]


def test_more_against_than_voted() -> None:
    with pytest.raises(BadSample):
        chances([True], [0.5], [1], [2])


def test_the_order_is_chance_times_severity_whatever_the_order_given() -> None:
    ids, odds, levels = ("a", "b", "c", "d"), np.array([0.4, 0.1, 0.2, 0.4]), np.array([0, 4, 1, 0])
    assert [ids[i] for i in flip_order(ids, odds, levels)] == ["b", "a", "c", "d"]
    turned = [3, 2, 1, 0]
    mixed = tuple(ids[i] for i in turned)
    assert [mixed[i] for i in flip_order(mixed, odds[turned], levels[turned])] == ["b", "a", "c", "d"]


@given(st.lists(st.one_of(st.floats(0, 1), st.just(float("nan"))), min_size=1, max_size=40), st.integers(1, 12))
@settings(max_examples=60)
def test_a_draw_is_whole_and_its_probabilities_are_known(close: list[float], n: int) -> None:
    n = min(n, len(close))
    ids = tuple(f"i{k:02}" for k in range(len(close)))
    taken, pi = bridge_draw(ids, np.array(close), n, 0.5, 7)
    assert int(taken.sum()) == n
    assert pi.sum() == pytest.approx(n, abs=1e-6)
    assert ((pi > 0) & (pi <= 1)).all()
    back = bridge_draw(ids[::-1], np.array(close)[::-1], n, 0.5, 7)[0][::-1]
    assert (back == taken).all()  # whatever the order in which the items come


def test_the_share_of_flips_is_told_without_bias() -> None:
    rng = np.random.default_rng(3)
    close = rng.uniform(0, 1, 2000)
    flips = rng.uniform(0, 1, 2000) < 0.1 + 0.3 * close  # near the threshold they are more frequent
    ids = tuple(f"i{k:04}" for k in range(2000))
    covered, values = 0, []
    for seed in range(120):
        taken, pi = bridge_draw(ids, close, 200, 0.5, seed)
        found = hajek(flips[taken], pi[taken])
        values.append(found.value)
        covered += found.low <= flips.mean() <= found.high
    assert abs(np.mean(values) - flips.mean()) < 0.01
    assert covered >= 108
