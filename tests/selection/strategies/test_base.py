from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from selection.strategies.base import best_policy, ranked, top
from tests.selection.made import made_candidates


def test_severity_weighs_and_a_closed_pair_never_wins() -> None:
    candidates = made_candidates(3, policies=2)
    candidates.weights[:] = (1.0, 4.0)
    candidates.open[:] = [[True, True], [True, False], [True, True]]
    policies, values = best_policy(candidates, np.array([[0.5, 0.2], [0.5, 0.9], [1.0, 0.1]]))
    assert policies.tolist() == [1, 0, 0]
    assert values.tolist() == [0.8, 0.5, 1.0]


def test_equal_values_are_ranked_by_their_tie_numbers() -> None:
    assert ranked(np.array([1.0, 2.0, 1.0]), np.array([0.9, 0.5, 0.1])).tolist() == [1, 2, 0]


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0]), max_size=40), st.integers(0, 45))
def test_the_top_is_the_start_of_the_ranking(given_values: list[float], n: int) -> None:
    values = np.array(given_values, np.float64)
    ties = np.random.default_rng(0).permutation(len(values)) / max(len(values), 1)
    assert top(values, ties, n).tolist() == ranked(values, ties)[:n].tolist()


def test_a_part_has_the_rows_of_everything() -> None:
    candidates = made_candidates(10, committee=3, labelled=5)
    part = candidates.of(np.array([7, 2]))
    assert len(part) == 2
    assert part.labelled is candidates.labelled
    assert part.members is not None
    assert candidates.members is not None
    assert np.array_equal(part.members, candidates.members[:, [7, 2]])
    assert part.disagreement is not None
    assert candidates.disagreement is not None
    assert np.array_equal(part.disagreement, candidates.disagreement[[7, 2]])
    assert np.array_equal(part.vectors(slice(None)), candidates.embeddings[[7, 2]])
    assert np.array_equal(part.of(np.array([1])).vectors(np.array([0])), candidates.embeddings[[2]])
