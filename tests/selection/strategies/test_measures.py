from __future__ import annotations

import numpy as np
import pytest

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
