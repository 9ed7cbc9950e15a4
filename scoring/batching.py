"""Which items share a batch: alike in length, so that little of the work is padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

BUCKETS = (16, 32, 48, 64, 96, 128, 192, 256, 384, 512)  # padded lengths where the number of shapes must be small


def token_batches(lengths: Sequence[int], batch_tokens: int, *, packed: bool = False) -> list[list[int]]:
    """Positions in batches of at most ``batch_tokens`` tokens, longest first.

    Counted are padded tokens (longest length x items), or the sum of the lengths where the batch is ``packed``.
    An item longer than the budget has a batch of its own. Longest first, so that memory trouble shows at once.
    """
    if batch_tokens < 1:
        raise ValueError(f"batch_tokens must be at least 1, not {batch_tokens}")
    batches: list[list[int]] = []
    held = 0
    for position in longest_first(lengths):
        length = max(1, lengths[position])
        width = length if packed or not batches else max(1, lengths[batches[-1][0]])
        if not batches or held + width > batch_tokens:
            batches.append([])
            held, width = 0, length
        batches[-1].append(position)
        held += width
    return batches


def bucket(length: int) -> int:
    """The smallest of ``BUCKETS`` that holds ``length``; beyond them the next multiple of the largest."""
    for size in BUCKETS:
        if length <= size:
            return size
    return -(-length // BUCKETS[-1]) * BUCKETS[-1]


def longest_first(lengths: Sequence[int]) -> list[int]:
    """Positions by falling length, ties in their given order."""
    return sorted(range(len(lengths)), key=lambda i: -lengths[i])


def windows(order: Sequence[int], items: int) -> Iterator[Sequence[int]]:
    """``order`` cut into runs of at most ``items`` positions."""
    for start in range(0, len(order), items):
        yield order[start : start + items]
