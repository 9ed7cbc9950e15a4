"""What a version would change if it were published now. Nothing is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from labeling.golden.diff import Diff, Ends, Events, Which, compared
from labeling.golden.publish import GoldenSet, draft
from labeling.records import GoldenItem


class Set(GoldenSet, Events, Protocol):
    """The part of the ledger that is looked at."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """``version``: the number it would get; ``parent``: the one before, None for the first; ``counts``: its rows by
    partition; ``diff``: what it changes against the parent, up to so many rows with who and why."""

    version: str
    parent: str | None
    counts: dict[str, int]
    diff: Diff


def outlook(golden: Set, bump: str | None = None, limit: int = 50) -> Outlook:
    """Of the golden set as it is now; sealed rows are counted alone. Raises as ``publish`` does."""
    drafted = draft(golden, bump)
    after = 0 if drafted.parent is None else drafted.parent.events
    ends = _ends(drafted.before, drafted.members)
    found = compared(golden, ends, (after, None), Which(limit=limit, sealed=False))
    counts = Counter(str(member.partition) for member in drafted.members)
    parent = None if drafted.parent is None else drafted.parent.version
    return Outlook(drafted.version, parent, dict(sorted(counts.items())), found)


def _ends(before: Iterable[GoldenItem], after: Iterable[GoldenItem]) -> Iterator[Ends]:
    old = {(row.item_id, row.policy_id): row for row in before}
    new = {(row.item_id, row.policy_id): row for row in after}
    for pair in sorted(old.keys() | new.keys()):
        yield old.get(pair), new.get(pair)
