from __future__ import annotations

import numpy as np

from selection.strategies.base import best_policy, ranked
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
    assert np.array_equal(part.embeddings, candidates.embeddings[[7, 2]])
