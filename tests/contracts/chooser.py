"""What every strategy of ``selection.strategies`` owes a lane. Subclass ``ChooserContract`` and name the strategy."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest

from selection.strategies.base import Candidates, Chosen, Rows
from selection.strategies.registry import find
from tests.selection.made import made_candidates


class ChooserContract:
    """Inherit, and set ``name``."""

    name: str

    @pytest.fixture
    def candidates(self) -> Candidates:
        return made_candidates(240, committee=3, labelled=60)

    def choose(self, candidates: Candidates, n: int, seed: int = 1) -> Chosen:
        return find(self.name)(candidates, n, seed)

    @pytest.mark.parametrize("n", [1, 7, 60, 240, 500])
    def test_brings_the_number_asked_for(self, candidates: Candidates, n: int) -> None:
        chosen = self.choose(candidates, n)
        assert len(chosen.rows) == len(set(chosen.rows.tolist())) == min(n, 240)
        assert len(chosen.policies) == len(chosen.utilities) == len(chosen.reasons) == len(chosen.rows)
        assert chosen.rows.min() >= 0
        assert chosen.rows.max() < 240
        assert np.isfinite(chosen.utilities).all()

    def test_asks_only_what_is_open(self, candidates: Candidates) -> None:
        candidates.open[:] = np.random.default_rng(0).random(candidates.open.shape) < 0.5
        rows = np.flatnonzero(candidates.open.any(axis=1))
        part = candidates.of(rows)
        chosen = self.choose(part, 50)
        assert part.open[chosen.rows, chosen.policies].all()

    def test_the_order_of_rows_means_nothing(self, candidates: Candidates) -> None:
        order: Rows = np.random.default_rng(3).permutation(240).astype(np.int64)
        first, second = self.choose(candidates, 30), self.choose(candidates.of(order), 30)
        assert set(first.rows.tolist()) == set(order[second.rows].tolist())

    def test_the_same_seed_chooses_the_same(self, candidates: Candidates) -> None:
        first, second = self.choose(candidates, 30), self.choose(candidates, 30)
        assert first.rows.tolist() == second.rows.tolist()
        assert first.policies.tolist() == second.policies.tolist()

    def test_vectors_that_say_nothing_are_no_failure(self, candidates: Candidates) -> None:
        candidates.embeddings[:200] = candidates.embeddings[0]  # fewer distinct vectors than picks
        candidates.embeddings[200:220] = 0  # items without an embedding
        assert len(self.choose(candidates, 100).rows) == 100

    def test_a_policy_that_is_always_or_never_likely_is_no_failure(self, candidates: Candidates) -> None:
        candidates.probabilities[:, 0] = 0
        candidates.probabilities[:, 1] = 1
        assert len(self.choose(candidates, 20).rows) == 20

    def test_one_policy_is_enough(self) -> None:
        chosen = self.choose(made_candidates(100, policies=1, committee=3, labelled=40), 25)
        assert (chosen.policies == 0).all()

    def test_what_it_is_given_is_left_as_it_was(self, candidates: Candidates) -> None:
        before = deepcopy(candidates)
        self.choose(candidates, 30)
        for field in ("embeddings", "probabilities", "open", "ties", "members"):
            assert np.array_equal(getattr(before, field), getattr(candidates, field))
