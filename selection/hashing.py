"""Random numbers that belong to an item, not to its place in a list.

A keyed hash gives every (seed, purpose, item) its own uniform number, so a draw is the same whatever the order
in which items arrive and however many threads run. (Permanent random numbers: Ohlsson 1995.)
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

U64 = npt.NDArray[np.uint64]
F64 = npt.NDArray[np.float64]

_BLOCK = 65_536
_MULTIPLIERS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))  # splitmix64 (Steele et al. 2014)


def item_hashes(ids: Sequence[str]) -> U64:
    """One 64-bit BLAKE2b hash per id; about 1 us each."""
    hashes = np.empty(len(ids), dtype=np.uint64)
    for start in range(0, len(ids), _BLOCK):  # so that not every digest is an object at once
        part = ids[start : start + _BLOCK]
        digests = b"".join(
            hashlib.blake2b(item.encode("utf-8", "surrogatepass"), digest_size=8).digest() for item in part
        )
        hashes[start : start + len(part)] = np.frombuffer(digests, dtype="<u8")
    return hashes


def key(*words: object) -> int:
    """A 64-bit key for a purpose, such as ``key(seed, "risk", policy)``."""
    return int.from_bytes(hashlib.blake2b(repr(words).encode(), digest_size=8).digest(), "little")


def uniforms(hashes: U64, *words: object) -> F64:
    """(n,) uniform numbers in [0, 1), one per hash, independent from purpose to purpose."""
    z = hashes ^ np.uint64(key(*words))
    for shift, multiplier in zip((np.uint64(30), np.uint64(27)), _MULTIPLIERS, strict=True):
        z = (z ^ (z >> shift)) * multiplier
    z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-53


def uniform(*words: object) -> float:
    """One uniform number in [0, 1) for a purpose."""
    return (key(*words) >> 11) * 2.0**-53
