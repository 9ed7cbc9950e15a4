"""What the rest of Goldfold may ask of the ledger about signals from outside."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from labeling.signal_records import Signal, Taken

Key = tuple[str, str]  # kind and signal id
Count = tuple[str, str, str]  # project, kind, outcome ("" where it has none)


class Signals(Protocol):
    """Appeals, reports and other signals. Appended only, but that a pending appeal comes to its outcome once, and for
    erasure. Nothing here is gold, or counts as an answer."""

    def add(self, signals: Sequence[Signal]) -> Taken:
        """Append those that are not there, and settle the pending appeals that are. Conflict, and nothing is written,
        when one is there with other content; UnknownItem when an item is not registered."""

    def find(self, keys: Sequence[Key]) -> dict[Key, Signal]: ...

    def within(self, since: datetime, until: datetime, *, project: str = "") -> list[Signal]:
        """Said in [since, until), by time, kind and id."""

    def count(self, since: datetime, until: datetime) -> dict[Count, int]:
        """Signals said in [since, until) by project, kind and outcome, sorted."""
