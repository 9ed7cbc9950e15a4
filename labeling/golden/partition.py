"""Which near-duplicate group a golden item belongs to, and so which partition it may be used in.

Items share a group when a chain of close ones joins them (``labeling.golden.near`` says what is close).

A new group's partition is a hash of its id against the shares, and then it is fixed: later changes of the shares or
growth of the set do not move it. An item near several groups merges them, and the merged group takes the most
protected partition of its parts (sealed > anchor > dev > calibration > train): an evaluation item never becomes
training material, and a sealed one never moves at all. Two groups of one partition that merge stay in it, under the
smaller of their ids. An anchor group that turns out near a sealed one becomes sealed: anchors are shown to people again
and again, and what they learn of it would be what models are judged by.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

from labeling.errors import InvalidInput
from labeling.golden.lookup import Lookup
from labeling.golden.near import Signals, Sources, Subject
from labeling.golden.text import content_hash
from labeling.golden.vectors import Vectors, no_vectors
from labeling.pictures import Pictures, no_pictures
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
        pictures: Pictures = no_pictures,
    ) -> None:
        self._sources = Sources.at(cosine, vectors, pictures)
        self._shares = shares or Shares()
        self._partition: dict[str, Partition] = {}
        self._parent: dict[str, str] = {}
        self._by_item: dict[str, str] = {}
        members = list({item.item_id: item for item in items}.values())
        self._by_row: list[str] = [member.group_id for member in members]
        self._lookup = Lookup(self._sources, [Subject.of(member) for member in members])
        self._known: dict[Subject, Signals] = {}  # of those that were read ahead
        self._looked_up: tuple[Subject, Signals] | None = None  # an item is placed, then accepted: one read for both
        for member in members:
            self._remember(member.item_id, member.group_id, member.partition)

    def read_ahead(self, subjects: Sequence[Subject]) -> None:
        """Read at once what is known of items that are to be placed next."""
        signals = Signals.of(subjects, self._sources)
        self._known = {subject: signals.one(row) for row, subject in enumerate(subjects)}

    def place(self, item_id: str, text: str, content: str = "") -> Placement:
        """Where this item belongs now; asking changes nothing. ``content``: the hash of its content where that is not
        its text (the SHA-256 of an image's bytes, whose ``text`` is its caption)."""
        signals = self._signals(_subject(item_id, text, content))
        founded = signals.founder(0)
        near = {self._root(self._by_row[row]) for row in self._lookup.near(signals)}
        # Its own group, and the one that its letters or picture founded, though its founder was erased.
        near |= {self._root(group) for group in (self._by_item.get(item_id), founded) if group in self._partition}
        if not near:
            return Placement(founded, partition_of(founded, self._shares))
        partition = most_protected(self._partition[group] for group in near)
        group_id = min(group for group in near if self._partition[group] is partition)
        return Placement(group_id, partition, tuple(sorted(near - {group_id})))

    def accept(self, item_id: str, text: str, placement: Placement, content: str = "") -> None:
        """Take the item in as placed, and merge what it merges."""
        for group in placement.merged:
            self._parent[group] = placement.group_id
        if item_id not in self._by_item:
            subject = _subject(item_id, text, content)
            self._lookup.add([subject], self._signals(subject))
            self._by_row.append(placement.group_id)
        self._remember(item_id, placement.group_id, placement.partition)

    def group_of(self, item_id: str) -> str | None:
        """The group of an item that is in, None of another."""
        group = self._by_item.get(item_id)
        return None if group is None else self._root(group)

    def partition(self, group_id: str) -> Partition:
        """The partition of a group, merged ones included."""
        return self._partition[self._root(group_id)]

    def _signals(self, subject: Subject) -> Signals:
        if (known := self._known.get(subject)) is not None:
            return known
        if self._looked_up is None or self._looked_up[0] != subject:
            self._looked_up = (subject, Signals.of([subject], self._sources))
        return self._looked_up[1]

    def _remember(self, item_id: str, group_id: str, partition: Partition) -> None:
        self._by_item[item_id] = group_id
        held = self._partition.get(group_id, partition)
        self._partition[group_id] = most_protected((held, partition))

    def _root(self, group: str) -> str:
        while group in self._parent:
            group = self._parent[group]
        return group


def _subject(item_id: str, text: str, content: str) -> Subject:
    return Subject(item_id, text, content or content_hash(text))
