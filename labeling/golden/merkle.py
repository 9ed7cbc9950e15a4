"""A Merkle tree over byte strings, built as in Certificate Transparency (RFC 6962 section 2.1, RFC 9162 section 2.1.3).

leaf = SHA-256(0x00 || entry); node = SHA-256(0x01 || left || right); a tree of n > 1 entries splits at the largest
power of two below n; the root of no entries is SHA-256 of nothing. The prefixes keep a node from passing for a leaf.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def leaf(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """The root of a tree with these leaf hashes."""
    level = list(leaves)
    if not level:
        return hashlib.sha256(b"").digest()
    while len(level) > 1:  # pairing level by level, an odd one moving up, splits at powers of two
        paired = [node(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = paired + level[len(paired) * 2 :]
    return level[0]


def proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The hashes that lead from leaf ``index`` to the root, lowest first."""
    if not 0 <= index < len(leaves):
        raise IndexError(f"leaf {index} of {len(leaves)}")
    path: list[bytes] = []
    level = list(leaves)
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            path.append(level[sibling])
        paired = [node(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = paired + level[len(paired) * 2 :]
        index //= 2
    return path


def proves(entry: bytes, index: int, size: int, path: Sequence[bytes], root_hash: bytes) -> bool:
    """Whether ``path`` shows that ``entry`` is number ``index`` of the ``size`` entries under ``root_hash``."""
    if not 0 <= index < size:
        return False
    reached, steps, last = leaf(entry), list(path), size - 1
    while last > 0:
        if index % 2 == 1 or index < last:
            if not steps:
                return False
            sibling = steps.pop(0)
            reached = node(sibling, reached) if index % 2 == 1 else node(reached, sibling)
        index //= 2
        last //= 2
    return not steps and reached == root_hash
