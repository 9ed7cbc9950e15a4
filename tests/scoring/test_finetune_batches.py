from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.finetune_batches import POOL_ITEMS, plan_batches


@settings(max_examples=40, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=80),
    epochs=st.integers(1, 3),
    batch_tokens=st.integers(8, 80),
    step_tokens=st.integers(1, 200),
    seed=st.integers(0, 5),
)
def test_every_item_comes_once_an_epoch_within_the_budget(
    lengths: list[int], epochs: int, batch_tokens: int, step_tokens: int, seed: int
) -> None:
    plan = plan_batches(lengths, epochs=epochs, batch_tokens=batch_tokens, step_tokens=step_tokens, seed=seed)
    assert Counter(place for batch in plan for place in batch) == dict.fromkeys(range(len(lengths)), epochs)
    for batch in plan:
        assert len(batch) == 1 or len(batch) * max(lengths[place] for place in batch) <= batch_tokens
    assert plan.per_step * batch_tokens >= step_tokens
    assert (plan.steps - 1) * plan.per_step < len(plan) <= plan.steps * plan.per_step
    again = plan_batches(lengths, epochs=epochs, batch_tokens=batch_tokens, step_tokens=step_tokens, seed=seed)
    assert again == plan


def test_epochs_and_seeds_differ_in_their_order() -> None:
    lengths = list(range(1, 41))
    one = plan_batches(lengths, epochs=2, batch_tokens=40, step_tokens=40, seed=0)
    half = len(plan_batches(lengths, epochs=1, batch_tokens=40, step_tokens=40, seed=0))
    assert one.batches[:half] != one.batches[half:]
    assert plan_batches(lengths, epochs=2, batch_tokens=40, step_tokens=40, seed=1) != one


def test_texts_of_like_length_share_a_batch_without_sorting_the_whole() -> None:
    lengths = [1 + n % 50 for n in range(2 * POOL_ITEMS)]
    plan = plan_batches(lengths, epochs=1, batch_tokens=200, step_tokens=200, seed=0)
    padded = sum(len(batch) * max(lengths[place] for place in batch) for batch in plan)
    assert padded < 1.1 * sum(lengths)
    longest = [max(lengths[place] for place in batch) for batch in plan]
    assert longest != sorted(longest)


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"step_tokens": 0}])
def test_a_plan_of_nothing_is_refused(wrong: dict[str, int]) -> None:
    given = {"epochs": 1, "batch_tokens": 8, "step_tokens": 8, "seed": 0} | wrong
    with pytest.raises(ValueError, match="no batch"):
        plan_batches([1, 2], **given)
    with pytest.raises(ValueError, match="0 items"):
        plan_batches([], epochs=1, batch_tokens=8, step_tokens=8, seed=0)
