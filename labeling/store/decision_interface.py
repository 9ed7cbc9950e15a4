"""What the rest of Goldfold may ask of the ledger about production's decisions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from labeling.decision_records import Decision, QaDay, Sampled

Key = tuple[str, str]  # source and decision id
Pair = tuple[str, str]  # item and policy
Cell = tuple[str, str, str, str, str]  # labeling.quality.daily_qa.DIMENSIONS


class Decisions(Protocol):
    """Decisions, appended only but for erasure and the names of people; and the days' samples of them."""

    def add(self, decisions: Sequence[Decision]) -> int:
        """Append those that are not there; how many were new. Conflict, and nothing is written, when one is there with
        other content; UnknownItem when an item is not registered."""

    def find(self, keys: Sequence[Key]) -> dict[Key, Decision]: ...

    def page(
        self,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        project: str = "",
        after: tuple[datetime, str, str] | None = None,
        limit: int = 100,
    ) -> list[Decision]:
        """Decided in [since, until), by time, source and id, those behind ``after``."""

    def count(self, since: datetime, until: datetime) -> dict[tuple[str, str], int]:
        """Decisions by project and source."""

    def values(self, limit: int) -> dict[str, list[str]]:
        """By each of ``labeling.cause_records.SLICE_KEYS``, the values that decisions have there, sorted, ``limit`` at
        most; a value that says nothing is left out."""

    def cells(self, since: datetime, until: datetime, policies: Collection[str]) -> dict[Cell, int]:
        """Decisions under these policies by cell, of items that are there."""

    def drawn(
        self,
        since: datetime,
        until: datetime,
        policies: Collection[str],
        level: Sequence[str],
        places: Mapping[tuple[str, ...], Collection[int]],
    ) -> list[Decision]:
        """Of the same decisions, sorted within each stratum of ``level`` by the other dimensions and ``lot``, those at
        the ``places`` (from 0) of their stratum. Memory grows with the sample only."""

    def deciders(self, item_ids: Sequence[str]) -> dict[Pair, set[str]]:
        """By item and policy, the people (``who``) who ever decided about it."""

    def add_day(self, day: QaDay, sample: Sequence[Sampled]) -> bool:
        """A day with its sample, in one transaction; False, and nothing is written, when the day is there."""

    def days(self) -> list[QaDay]:
        """Oldest first."""

    def sample(self, days: Collection[str]) -> list[Sampled]:
        """By day, source and id."""

    def barred(self, round_id: str) -> dict[Pair, frozenset[str]]:
        """By item and policy that a round asks about, the addresses of those who may not answer."""

    def rename(self, who: str, to: str, actor: str) -> int:
        """Give a person another id in every decision of theirs; "" forgets them. How many changed."""
