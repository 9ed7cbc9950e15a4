"""What every lane and strategy owes a round. Subclass ``StrategyContract`` and name the lanes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from selection.duplicates import near_duplicate_groups
from selection.errors import BadPlan, BadPool, BudgetTooLarge, EmptyFrame
from selection.select import select
from selection.types import Lane, Plan, Pool, Selection
from tests.selection.made import made_plan, made_pool, shuffled


class StrategyContract:
    """Inherit, and set ``lanes`` to the plan's lanes."""

    lanes: tuple[Lane, ...]

    @pytest.fixture
    def pool(self) -> Pool:
        return made_pool()

    def plan(self, budget: int = 60, seed: int = 1) -> Plan:
        return made_plan(self.lanes, budget, seed)

    def pairs(self, selection: Selection) -> list[tuple[str, str]]:
        return [(pick.item_id, pick.policy) for pick in selection.picks]

    @pytest.mark.parametrize("budget", [1, 7, 60, 200])
    def test_brings_the_number_asked_for_or_says_why_not(self, pool: Pool, budget: int) -> None:
        selection = select(pool, self.plan(budget))
        assert len(selection.picks) == budget or any("short" in note for note in selection.notes)

    def test_no_pair_twice(self, pool: Pool) -> None:
        pairs = self.pairs(select(pool, self.plan()))
        assert len(set(pairs)) == len(pairs)

    def test_only_what_is_eligible(self, pool: Pool) -> None:
        allowed = {(pool.ids[row], pool.policies[column]) for row, column in np.argwhere(pool.eligible)}
        assert set(self.pairs(select(pool, self.plan(200)))) <= allowed

    def test_the_order_of_the_pool_means_nothing(self, pool: Pool) -> None:
        first = select(pool, self.plan())
        assert [select(shuffled(pool, seed), self.plan()) for seed in (5, 6)] == [first, first]

    def test_another_seed_brings_others(self, pool: Pool) -> None:
        assert self.pairs(select(pool, self.plan(seed=1))) != self.pairs(select(pool, self.plan(seed=2)))

    def test_copies_are_asked_about_once(self, pool: Pool) -> None:
        labels = near_duplicate_groups(pool.embeddings, 0.95)
        group = {item: int(label) for item, label in zip(pool.ids, labels, strict=True)}
        picks = select(pool, self.plan(250)).picks
        units = [(group[pick.item_id], pick.policy) for pick in picks]
        assert len(set(units)) == len(units)
        assert all(group[pick.group] == group[pick.item_id] for pick in picks)

    def test_pi_is_known_exactly_where_chance_decided(self, pool: Pool) -> None:
        for pick in select(pool, self.plan()).picks:
            if pick.lane in ("uncertain", "relabel"):
                assert pick.pi is None
            else:
                assert pick.pi is not None
                assert 0 < pick.pi <= 1

    def test_every_pick_says_why(self, pool: Pool) -> None:
        for pick in select(pool, self.plan()).picks:
            assert pick.reasons[0].split(":")[0] == pick.lane
            row, column = pool.ids.index(pick.item_id), pool.policies.index(pick.policy)
            assert pick.probability == pool.probabilities[row, column]

    def test_picks_come_sorted(self, pool: Pool) -> None:
        keys = [(pick.lane, pick.policy, pick.item_id) for pick in select(pool, self.plan()).picks]
        assert keys == sorted(keys)

    def test_a_budget_above_the_frame_is_refused(self, pool: Pool) -> None:
        with pytest.raises(BudgetTooLarge, match=r"5000 picks, but the frame holds \d+"):
            select(pool, self.plan(5000))

    def test_an_empty_frame_is_refused(self, pool: Pool) -> None:
        nobody = dataclasses.replace(pool, eligible=np.zeros_like(pool.eligible))
        with pytest.raises(EmptyFrame, match="300 items"):
            select(nobody, self.plan())

    def test_a_bad_pool_is_refused(self, pool: Pool) -> None:
        probabilities = pool.probabilities.copy()
        probabilities[17, 1] = np.nan
        with pytest.raises(BadPool, match=r"row 17 \('item-00017'\) has nan for 'threats'"):
            select(dataclasses.replace(pool, probabilities=probabilities), self.plan())

    def test_a_bad_plan_is_refused(self, pool: Pool) -> None:
        with pytest.raises(BadPlan, match="budget"):
            select(pool, self.plan(0))

    def test_the_pool_is_left_as_it_was(self, pool: Pool) -> None:
        before = pool.probabilities.copy(), pool.embeddings.copy(), pool.eligible.copy()
        select(pool, self.plan())
        after = pool.probabilities, pool.embeddings, pool.eligible
        assert all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))
