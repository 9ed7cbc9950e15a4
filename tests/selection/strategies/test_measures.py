from __future__ import annotations

import numpy as np
import pytest

from selection.errors import BadPool
from selection.strategies.registry import find
from tests.contracts.chooser import ChooserContract
from tests.selection.made import made_candidates

NAMES = ("threshold", "modal_least_confident", "modal_margin", "modal_entropy")


class TestThreshold(ChooserContract):
    name = "threshold"


class TestModalLeastConfident(ChooserContract):
    name = "modal_least_confident"


class TestModalMargin(ChooserContract):
    name = "modal_margin"


class TestModalEntropy(ChooserContract):
    name = "modal_entropy"


class TestDisagreement(ChooserContract):
    name = "disagreement"


def test_disagreement_is_told_as_a_share_of_the_most_there_can_be() -> None:
    candidates = made_candidates(3, policies=1, committee=2)
    assert candidates.disagreement is not None
    most = np.float32(np.log(2))  # rounded up, as scores carry it
    candidates.disagreement[:, 0] = (0, most / 4, most)
    chosen = find("disagreement")(candidates, 3, 0)
    assert chosen.utilities[np.argsort(chosen.rows)] == pytest.approx([0, 0.25, 1])
    assert chosen.utilities.max() <= 1


def test_nobody_is_asked_for_a_disagreement_that_is_not_there() -> None:
    with pytest.raises(BadPool, match="disagreement: the pool has none"):
        find("disagreement")(made_candidates(3), 3, 0)


@pytest.mark.parametrize("name", NAMES)
def test_a_pair_at_the_boundary_is_most_uncertain(name: str) -> None:
    candidates = made_candidates(200, policies=1)
    candidates.probabilities[:, 0] = np.linspace(0, 1, 200)
    candidates.thresholds[:] = 0.5
    chosen = find(name)(candidates, 200, 0)
    by_row = chosen.utilities[np.argsort(chosen.rows)]
    assert ((by_row >= 0) & (by_row <= 1 + 1e-6)).all()
    assert (np.diff(by_row[:100]) > 0).all()
    assert (np.diff(by_row[100:]) < 0).all()
