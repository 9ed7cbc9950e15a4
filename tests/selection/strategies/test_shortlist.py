from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from selection.strategies.shortlist import PAIRWISE, at_threshold, by_chance, by_value, size
from tests.selection.made import made_candidates


@given(n=st.integers(1, 200_000))
def test_a_shortlist_grows_with_the_picks_up_to_its_bound(n: int) -> None:
    found = size(n, PAIRWISE)
    assert n <= found <= max(n, PAIRWISE)


def test_by_value_is_the_best_and_in_order() -> None:
    candidates = made_candidates(200)
    short = by_value(candidates, at_threshold(candidates), 50)
    values = np.round(np.round(at_threshold(candidates), 9) * candidates.weights, 9).max(axis=1)
    assert short.values.tolist() == sorted(values.tolist(), reverse=True)[:50]
    assert np.array_equal(values[short.rows], short.values)


def test_by_chance_says_when_it_leaves_some_out() -> None:
    candidates = made_candidates(200)
    assert by_chance(candidates, 200).notes == ()
    short = by_chance(candidates, 50)
    assert short.rows.tolist() == np.argsort(candidates.ties)[:50].tolist()
    note = "by content: a random 50 of 200 candidates were looked at"
    assert short.chosen(np.arange(10), 10).notes == (note,)


def test_what_a_strategy_leaves_is_filled_by_value_and_said() -> None:
    candidates = made_candidates(200)
    short = by_chance(candidates, 200)
    found = short.chosen(np.array([4, 9]), 6, [("a",), ("b",)])
    others = np.delete(np.arange(200), [4, 9])
    best = others[np.argsort(-short.values[others], kind="stable")[:4]]
    assert found.rows.tolist() == short.rows[np.concatenate([[4, 9], best])].tolist()
    assert found.reasons == (("a",), ("b",), *[("filled by value",)] * 4)
    assert found.notes == ("4 of 6 picks chosen by value alone: the strategy had found all that it looks for",)
