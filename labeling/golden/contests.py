"""The golden items without one right answer, one by one; of sealed ones only how many."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from labeling.golden.contested import is_contested
from labeling.records import GoldenItem, GoldState, Partition


class Items(Protocol):
    """The part of the ledger that is read."""

    def items(self) -> list[GoldenItem]: ...


@dataclass(frozen=True, slots=True)
class ContestedItem:
    """``verdict``: what a lead said of it, None where nobody did; ``votes``: answer to people."""

    external_id: str
    policy: str
    policy_version: str
    partition: str
    language: str
    how: str
    verdict: str | None
    votes: dict[str, int]
    folded_at: datetime


@dataclass(frozen=True, slots=True)
class Contests:
    """``rows``: the newest first; ``sealed``: how many more there are in the sealed partition; ``policies``: of all."""

    rows: tuple[ContestedItem, ...]
    sealed: int
    policies: dict[str, int]


def contests(golden: Items) -> Contests:
    """Of the golden set as it is now, without what is retired, quarantined or erased."""
    found = [row for row in golden.items() if is_contested(row) and row.state in (GoldState.ACTIVE, GoldState.STALE)]
    told = [row for row in found if row.partition is not Partition.SEALED]
    told.sort(key=lambda row: (row.folded_at, row.item_id, row.policy_id), reverse=True)
    by_policy = Counter(row.policy_id for row in found)
    return Contests(tuple(map(_told, told)), len(found) - len(told), dict(sorted(by_policy.items())))


def _told(row: GoldenItem) -> ContestedItem:
    return ContestedItem(
        row.external_id,
        row.policy_id,
        row.policy_version,
        str(row.partition),
        row.language,
        str(row.how),
        None if row.verdict is None else str(row.verdict),
        dict(row.votes),
        row.folded_at,
    )
