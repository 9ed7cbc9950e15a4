"""Which texts a fine-tuning step reads: micro-batches under a budget of tokens, planned ahead for all epochs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from scoring.batching import token_batches

POOL_ITEMS = 512  # shuffled items that are sorted by length together: little padding, and still chance


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """``batches``: positions of each micro-batch, all epochs one after the other; ``per_step``: micro-batches that one
    optimizer step gathers; ``steps_per_epoch``: rounded up, of the first epoch."""

    batches: tuple[tuple[int, ...], ...]
    per_step: int
    steps_per_epoch: int

    @property
    def steps(self) -> int:
        """Optimizer steps in all; the last one may gather fewer micro-batches."""
        return -(-len(self.batches) // self.per_step)

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[int]]:
        return (list(batch) for batch in self.batches)


def plan_batches(lengths: Sequence[int], *, epochs: int, batch_tokens: int, step_tokens: int, seed: int) -> BatchPlan:
    """Every position once an epoch, in another order each time; the same arguments give the same plan.

    ``batch_tokens``: padded tokens of a micro-batch, what memory must hold; ``step_tokens``: of an optimizer step,
    gathered from as many micro-batches. Raises ValueError when nothing would be planned.
    """
    if not lengths or epochs < 1 or step_tokens < 1:
        raise ValueError(f"{len(lengths)} items, {epochs} epochs and {step_tokens} step_tokens give no batch")
    by_epoch = [_epoch(lengths, batch_tokens, np.random.default_rng([seed, epoch])) for epoch in range(epochs)]
    per_step = -(-step_tokens // batch_tokens)
    batches = tuple(tuple(batch) for epoch in by_epoch for batch in epoch)
    return BatchPlan(batches, per_step, -(-len(by_epoch[0]) // per_step))


def _epoch(lengths: Sequence[int], batch_tokens: int, rng: np.random.Generator) -> list[list[int]]:
    order = rng.permutation(len(lengths)).tolist()
    batches: list[list[int]] = []
    for start in range(0, len(order), POOL_ITEMS):
        pool = order[start : start + POOL_ITEMS]
        batches += [[pool[i] for i in batch] for batch in token_batches([lengths[p] for p in pool], batch_tokens)]
    return [batches[i] for i in rng.permutation(len(batches))]
