"""Pictures compared by their 64-bit perceptual hashes: near-duplicates differ in few bits.

Found by blocks: two hashes that differ in at most ``distance`` bits agree in at least two of ``distance + 2`` blocks
of bits, so each pair of blocks is a table, and no close pair is missed (pigeonhole; Manku, Jain, Das Sarma 2007).
"""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np

from selection.near.buckets import U32, U64
from selection.near.forest import Bool, Pairs

BITS = 64
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio, odd: spreads the bits of a masked hash
_HIGH = np.uint64(32)


def tables(distance: int) -> int:
    """How many tables ``block_codes`` has."""
    return len(_masks(distance))


def block_codes(hashes: U64, distance: int) -> U32:
    """(tables, n) the bucket of each hash in each table."""
    return np.stack([((hashes & mask) * _MIX >> _HIGH).astype(np.uint32) for mask in _masks(distance)])


def close(hashes: U64, pairs: Pairs, distance: int) -> Bool:
    """(p,) whether the hashes of each pair differ in at most ``distance`` bits."""
    return np.asarray(np.bitwise_count(hashes[pairs[0]] ^ hashes[pairs[1]]) <= distance)


def _masks(distance: int) -> list[np.uint64]:
    """Two blocks of bits each, every pair of blocks once."""
    edges = np.linspace(0, BITS, distance + 3).round().astype(int).tolist()
    blocks = [(1 << end) - (1 << start) for start, end in pairwise(edges)]
    return [np.uint64(one | other) for one, other in combinations(blocks, 2)]
