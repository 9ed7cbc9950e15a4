"""Which items share a batch: alike in length, so that little of the work is padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def token_batches(lengths: Sequence[int], batch_tokens: int) -> list[list[int]]:
    """Positions in batches of at most ``batch_tokens`` padded tokens (longest length x items), longest first.

    An item longer than the budget has a batch of its own. Longest first, so that memory trouble shows at once.
    """
    if batch_tokens < 1:
        raise ValueError(f"batch_tokens must be at least 1, not {batch_tokens}")
    order = longest_first(lengths)
    batches = []
    start = 0
    while start < len(order):
        size = max(1, batch_tokens // max(1, lengths[order[start]]))
        batches.append(order[start : start + size])
        start += size
    return batches


def longest_first(lengths: Sequence[int]) -> list[int]:
    """Positions by falling length, ties in their given order."""
    return sorted(range(len(lengths)), key=lambda i: -lengths[i])


def windows(order: Sequence[int], items: int) -> Iterator[Sequence[int]]:
    """``order`` cut into runs of at most ``items`` positions."""
    for start in range(0, len(order), items):
        yield order[start : start + items]
