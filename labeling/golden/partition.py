"""Which near-duplicate group a golden item belongs to, and so which partition it may be used in.

Two items share a group when their texts are equal, equal after normalisation (labeling.golden.text), or their
embeddings are at least ``cosine`` similar; groups are the connected components of that (single linkage).

A new group's partition is a hash of its id against the shares, and then it is fixed: later changes of the shares or
growth of the set do not move it. An item near several groups merges them, and the merged group takes the most
protected partition of its parts (sealed > anchor > dev > calibration > train): an evaluation item never becomes
training material, and a sealed one never moves at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np

from labeling.errors import InvalidInput
from labeling.golden.text import bones_hash
from labeling.golden.vectors import F32, Vectors, close_pairs, no_vectors, unit
from labeling.records import GoldenItem, Partition

PROTECTION = (Partition.SEALED, Partition.ANCHOR, Partition.DEV, Partition.CALIBRATION, Partition.TRAIN)
DUPLICATE_COSINE = 0.95


@dataclass(frozen=True, slots=True)
class Shares:
    """The share of new groups each partition gets; in [0, 1], adding up to 1."""

    train: float = 0.60
    calibration: float = 0.10
    dev: float = 0.20
    sealed: float = 0.10
    anchor: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            share = getattr(self, field.name)
            if not 0 <= share <= 1:
                raise InvalidInput(f"shares.{field.name}: {share} is not between 0 and 1")
        total = sum(getattr(self, field.name) for field in fields(self))
        if abs(total - 1) > 1e-6:
            raise InvalidInput(f"shares: they add up to {total:g}, not to 1")


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an item goes. ``merged``: groups that become part of ``group_id`` (and of its partition) by its coming."""

    group_id: str
    partition: Partition
    merged: tuple[str, ...] = ()


def partition_of(group_id: str, shares: Shares) -> Partition:
    """The partition a new group falls into: its id's hash, read as a number in [0, 1), against the shares."""
    digest = hashlib.sha256(f"goldfold\0partition\0{group_id}".encode()).digest()
    point = int.from_bytes(digest[:8], "big") / 2**64
    reached = 0.0
    for partition in PROTECTION:
        share = getattr(shares, partition.value)
        reached += share
        if share > 0 and point < reached:
            return partition
    return max(PROTECTION, key=lambda p: float(getattr(shares, p.value)))  # the shares' sum fell short by rounding


def most_protected(partitions: Iterable[Partition]) -> Partition:
    """The strictest of some partitions."""
    return min(partitions, key=PROTECTION.index)


class Groups:
    """The near-duplicate groups of a golden set, kept in memory while items are folded in.

    ``place`` only looks; ``accept`` makes it so, once the ledger holds the item.
    """

    def __init__(
        self,
        items: Iterable[GoldenItem] = (),
        vectors: Vectors = no_vectors,
        cosine: float = DUPLICATE_COSINE,
        shares: Shares | None = None,
    ) -> None:
        self._vectors = vectors
        self._cosine = cosine
        self._shares = shares or Shares()
        self._partition: dict[str, Partition] = {}
        self._parent: dict[str, str] = {}
        self._by_item: dict[str, str] = {}
        self._by_bones: dict[str, str] = {}
        self._rows: list[str] = []  # the item of each row of the matrix
        self._matrix: F32 = np.empty((0, 0), dtype=np.float32)
        self._looked_up: tuple[str, F32 | None] = ("", None)  # an item is placed, then accepted: one read for both
        members = list({item.item_id: item for item in items}.values())
        found = vectors([m.item_id for m in members])
        for member in members:
            self._remember(member.item_id, member.text, member.group_id, member.partition)
        self._add_rows([(m.item_id, found[m.item_id]) for m in members if m.item_id in found])

    def place(self, item_id: str, text: str) -> Placement:
        """Where this item belongs now; asking changes nothing."""
        near = self._near(item_id, text)
        if not near:
            group_id = bones_hash(text)[:32]
            known = self._partition.get(group_id)  # its founder was erased: the group still stands
            return Placement(group_id, known or partition_of(group_id, self._shares))
        partition = most_protected(self._partition[group] for group in near)
        group_id = min(group for group in near if self._partition[group] is partition)
        return Placement(group_id, partition, tuple(sorted(near - {group_id})))

    def accept(self, item_id: str, text: str, placement: Placement) -> None:
        """Take the item in as placed, and merge what it merges."""
        for group in placement.merged:
            self._parent[group] = placement.group_id
        fresh = item_id not in self._by_item
        self._remember(item_id, text, placement.group_id, placement.partition)
        vector = self._vector(item_id) if fresh else None
        if vector is not None:
            self._add_rows([(item_id, vector)])

    def group_of(self, item_id: str) -> str | None:
        """The group of an item that is in, None of another."""
        group = self._by_item.get(item_id)
        return None if group is None else self._root(group)

    def partition(self, group_id: str) -> Partition:
        """The partition of a group, merged ones included."""
        return self._partition[self._root(group_id)]

    def _near(self, item_id: str, text: str) -> set[str]:
        known = self.group_of(item_id)
        near = set() if known is None else {known}
        twin = self._by_bones.get(bones_hash(text))
        if twin is not None:
            near.add(self._root(twin))
        vector = self._vector(item_id) if self._rows else None
        if vector is not None:
            pairs = close_pairs(unit(vector[None, :]), self._matrix[: len(self._rows)], self._cosine)
            near.update(self._root(self._by_item[self._rows[j]]) for _, j in pairs)
        return near

    def _vector(self, item_id: str) -> F32 | None:
        if self._looked_up[0] != item_id:
            self._looked_up = (item_id, self._vectors([item_id]).get(item_id))
        return self._looked_up[1]

    def _remember(self, item_id: str, text: str, group_id: str, partition: Partition) -> None:
        self._by_item[item_id] = group_id
        if text:  # an erased item has none
            self._by_bones[bones_hash(text)] = group_id
        held = self._partition.get(group_id, partition)
        self._partition[group_id] = most_protected((held, partition))

    def _add_rows(self, rows: list[tuple[str, F32]]) -> None:
        if not rows:
            return
        used, width = len(self._rows), len(rows[0][1])
        if used + len(rows) > len(self._matrix):
            grown = np.empty((2 * (used + len(rows)), width), dtype=np.float32)
            grown[:used] = self._matrix[:used] if used else grown[:0]
            self._matrix = grown
        self._matrix[used : used + len(rows)] = unit(np.stack([vector for _, vector in rows]))
        self._rows.extend(item_id for item_id, _ in rows)

    def _root(self, group: str) -> str:
        while group in self._parent:
            group = self._parent[group]
        return group
