"""A Merkle tree over byte strings, built as in Certificate Transparency (RFC 6962 section 2.1, RFC 9162 section 2.1.3).

leaf = SHA-256(0x00 || entry); node = SHA-256(0x01 || left || right); a tree of n > 1 entries splits at the largest
power of two below n; the root of no entries is SHA-256 of nothing. The prefixes keep a node from passing for a leaf.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence


def leaf(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    """The root of a tree whose leaves come one after the other: only the roots of its full subtrees are held."""

    def __init__(self) -> None:
        self._full: list[tuple[int, bytes]] = []  # leaves, root; from the left, each larger than the next

    def add(self, leaf_hash: bytes) -> None:
        """The next leaf."""
        size, reached = 1, leaf_hash
        while self._full and self._full[-1][0] == size:
            reached = node(self._full.pop()[1], reached)
            size *= 2
        self._full.append((size, reached))

    def root(self) -> bytes:
        """Of the leaves so far."""
        if not self._full:
            return hashlib.sha256(b"").digest()
        reached = self._full[-1][1]
        for _, left in reversed(self._full[:-1]):
            reached = node(left, reached)
        return reached


def root(leaves: Iterable[bytes]) -> bytes:
    """The root of a tree with these leaf hashes."""
    tree = Tree()
    for leaf_hash in leaves:
        tree.add(leaf_hash)
    return tree.root()


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
