"""What the ledger keeps of weekly packs."""

from __future__ import annotations

from typing import Protocol

from labeling.weekly_records import Pack, Signature


class WeeklyPacks(Protocol):
    """Drafts and signatures. Nothing is ever changed."""

    def add(self, pack: Pack) -> bool:
        """Append a draft; False when that content is there. Raises Conflict when its revision is signed."""

    def packs(self, week: str = "") -> list[Pack]:
        """Oldest draft first, of one week or of all."""

    def sign(self, signature: Signature) -> None:
        """Raises NotFound for a draft nobody knows, Conflict when that revision is signed, or a newer draft of it is
        there."""

    def signatures(self, week: str = "") -> list[Signature]:
        """By week and revision."""
