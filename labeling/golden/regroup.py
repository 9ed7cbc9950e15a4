"""Bring the groups of a golden set up to date with what is known now.

An item is placed when it is folded in, by what is known of it then. Embeddings may come later, or from another encoder,
and so may the hash of a picture. This compares all items anew and merges the groups that belong together, as folding
would: the more protected partition wins, nothing is split, and nothing that is sealed moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from labeling.golden.near import Sources, Subject, groups_of
from labeling.golden.partition import most_protected
from labeling.records import GoldenItem, Partition
from selection.near.forest import Forest


class Regroupable(Protocol):
    """The part of the ledger that this needs."""

    def items(self) -> list[GoldenItem]: ...
    def regroup(self, group_ids: Sequence[str], into: str, partition: Partition) -> int: ...


@dataclass(frozen=True, slots=True)
class Regrouped:
    """How many groups merged with others, and how many rows were moved to another group by it."""

    merged: int
    rows: int


def regroup(golden: Regroupable, sources: Sources) -> Regrouped:
    """Merge what is near by now. Each merge is a transaction with its events; a second run changes nothing."""
    items = list({item.item_id: item for item in golden.items()}.values())
    places: dict[str, Partition] = {}
    for item in items:
        places[item.group_id] = most_protected((places.get(item.group_id, item.partition), item.partition))
    merged = rows = 0
    for group_ids in _joined(items, groups_of([Subject.of(item) for item in items], sources).tolist()):
        partition = most_protected(places[group_id] for group_id in group_ids)
        into = min(group_id for group_id in group_ids if places[group_id] is partition)
        rows += golden.regroup([group_id for group_id in group_ids if group_id != into], into, partition)
        merged += len(group_ids) - 1
    return Regrouped(merged, rows)


def _joined(items: Sequence[GoldenItem], near: Sequence[int]) -> list[list[str]]:
    """The ids of folded groups that near-duplicates join, where they are more than one, sorted."""
    forest = Forest(np.arange(len(items), dtype=np.int64))
    for keys in ([str(label) for label in near], [item.group_id for item in items]):
        first: dict[str, int] = {}
        left = [first.setdefault(key, row) for row, key in enumerate(keys)]
        forest.join((np.array(left, np.int64), np.arange(len(items), dtype=np.int64)))
    groups: dict[int, set[str]] = {}
    for item, root in zip(items, forest.labels().tolist(), strict=True):
        groups.setdefault(root, set()).add(item.group_id)
    return sorted(sorted(group_ids) for group_ids in groups.values() if len(group_ids) > 1)
