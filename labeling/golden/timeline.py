"""The golden set's events as they came, the newest first, a page at a time.

Who did something, why, and to which sealed item, is told to ``whole`` readers alone: that a change of policy made a
sealed label stale already tells what it says. What an erratum says is told beside its version
(``labeling.golden.diff.withheld``).
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from labeling.golden.blame import HIDDEN
from labeling.golden_records import GoldChain, GoldEvent
from labeling.records import GoldAction, Partition

Told = dict[str, object]


class Golden(Protocol):
    """The golden set's part of it."""

    def events(self, *, after: int = 0, until: int | None = None) -> list[GoldEvent]: ...
    def walk(self) -> AbstractContextManager[GoldChain]: ...


def newest(golden: Golden) -> int:
    """The number of the last event, as the head of the chain says; 0: there is none."""
    with golden.walk() as chain:
        return chain.head[0] if chain.head else 0


def timeline(golden: Golden, limit: int, before: int | None = None, *, whole: bool = False) -> list[Told]:
    """The ``limit`` newest events numbered less than ``before`` (None: the newest there are)."""
    last = newest(golden) if before is None else min(newest(golden), before - 1)
    found = golden.events(after=max(0, last - limit), until=last) if last > 0 else []
    return [_told(event, whole=whole) for event in reversed(found)]


def _told(event: GoldEvent, *, whole: bool) -> Told:
    row = event.row or {}
    is_erratum = event.action is GoldAction.ERRATUM  # whose row does not say where the item lies: it may be sealed
    named = whole or not (is_erratum or row.get("partition") == Partition.SEALED)
    names = ("version", "tier", "state", "partition")
    return {
        "number": event.number,
        "at": event.at,
        "action": str(event.action),
        "external_id": row.get("external_id", "") if named else HIDDEN,
        "item_id": event.item_id if named else HIDDEN,
        "policy": event.policy_id,
        "actor": event.actor if whole else HIDDEN,
        "reason": event.reason if whole and not is_erratum else HIDDEN,
        **{name: row[name] for name in names if name in row},
        "sha256": event.sha256,
    }
