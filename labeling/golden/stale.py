"""How much gold is stale: labels that a change of their policy touched and that nobody has given again yet.

Stale, quarantined and retired rows are left out wherever gold is learnt from, judged by or asked again; a published
version that was frozen while they were active still holds them, so whoever reads a version leaves out what is no longer
in use (``standing``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from labeling.policy_versions import History, moved_to
from labeling.records import GoldenItem, GoldState

OUT = (GoldState.STALE, GoldState.QUARANTINED, GoldState.RETIRED)


class GoldenNow(Protocol):
    """The part of the ledger that says what gold there is now."""

    def items(self, *, partition: str | None = None, policy_id: str | None = None) -> list[GoldenItem]: ...


@dataclass(frozen=True, slots=True)
class StaleShare:
    """Of one policy's gold: ``stale`` rows beside ``active`` ones; ``by_partition``: (stale, active) of each."""

    policy_id: str
    stale: int
    active: int
    by_partition: dict[str, tuple[int, int]]

    @property
    def share(self) -> float:
        """In [0, 1]; 0 where there is no gold."""
        return self.stale / (self.stale + self.active) if self.stale else 0.0


def stale_share(golden: GoldenNow, policy_id: str) -> StaleShare:
    """How much of a policy's gold is stale now."""
    return _share(policy_id, golden.items(policy_id=policy_id))


def stale_shares(items: Iterable[GoldenItem]) -> list[StaleShare]:
    """Of each policy that has stale gold among ``items``, by policy."""
    rows: dict[str, list[GoldenItem]] = {}
    for item in items:
        rows.setdefault(item.policy_id, []).append(item)
    shares = [_share(policy_id, rows[policy_id]) for policy_id in sorted(rows)]
    return [share for share in shares if share.stale]


def _share(policy_id: str, items: Iterable[GoldenItem]) -> StaleShare:
    counts = Counter((item.partition.value, item.state) for item in items)
    places = sorted({place for place, state in counts if state in (GoldState.STALE, GoldState.ACTIVE)})
    by_partition = {p: (counts[p, GoldState.STALE], counts[p, GoldState.ACTIVE]) for p in places}
    stale, active = (sum(pair[i] for pair in by_partition.values()) for i in (0, 1))
    return StaleShare(policy_id, stale, active, by_partition)


def standing(rows: Iterable[GoldenItem], now: Iterable[GoldenItem]) -> list[GoldenItem]:
    """The rows of a published version that hold ``now``: not stale, quarantined or retired, and not labelled again
    since under another policy version, so that the label which the version froze has been replaced."""
    moved = Moved.of(now)
    return [row for row in rows if moved.stands(row)]


@dataclass(frozen=True, slots=True)
class Moved:
    """What became since of rows that versions froze: ``now`` by item and policy, (policy version, out of use)."""

    now: Mapping[tuple[str, str], tuple[str, bool]]

    @classmethod
    def of(cls, now: Iterable[GoldenItem]) -> Moved:
        """From the golden set as it is now, or those of its items that a version does not hold just so."""
        return cls({(item.item_id, item.policy_id): (item.policy_version, item.state in OUT) for item in now})

    def stands(self, row: GoldenItem) -> bool:
        """Whether a frozen row holds now."""
        return self.holds(row.item_id, row.policy_id, row.policy_version)

    def holds(self, item_id: str, policy_id: str, policy_version: str) -> bool:
        """Whether a row that was frozen under this version of its policy does."""
        version, is_out = self.now.get((item_id, policy_id), (policy_version, False))
        return version == policy_version and not is_out


def touched(history: History, items: Iterable[GoldenItem]) -> list[tuple[GoldenItem, GoldState]]:
    """What publishing the newest of ``history`` would move, and to which state."""
    found = []
    for item in items:
        to = moved_to(history, item.state, item.policy_version, item.outcome, item.rule)
        if to is not None:
            found.append((item, to))
    return found
