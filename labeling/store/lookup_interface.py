"""What a page about items asks beyond the rest: who is called so, and about whom somebody is being asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from labeling.records import RegisteredItem


class ItemSearch(Protocol):
    """Items by the start of their external id."""

    def starting(self, prefix: str, *, after: str = "", limit: int) -> list[RegisteredItem]:
        """The first ``limit`` items whose external id starts so, behind ``after`` ("": from the first), by external id;
        a look at so many rows of an index, however many items there are."""


class OpenQuestions(Protocol):
    """Items by what is open about them."""

    def asked(self, item_ids: Sequence[str]) -> set[str]:
        """Those of these items about which a question is open: a task that is neither settled nor withdrawn."""
