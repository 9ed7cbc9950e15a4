"""What a round must know of all its units when it looks closely at some of them only: sums and counts, no rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from selection.hashing import F64
from selection.sampling import Mass


@dataclass(frozen=True, slots=True)
class Cell:
    """Items that every bound and quota treats alike and that are not among the shortlisted: ``like`` is the id of a
    shortlisted one of them, ``others`` how many are not, ``above`` (k,) how many of those reach each threshold."""

    like: str
    others: int
    above: F64


@dataclass(frozen=True, slots=True)
class Whole:
    """``units`` in all; ``mass`` of the lane ``risk``; ``counts`` as ``Frame.counts`` tells them; the ``cells``."""

    units: int
    mass: Mass
    counts: dict[str, object]
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Others:
    """Candidates that a strategy is not shown, since it would not look at them: how many, and (k,) how many of them
    reach each threshold."""

    count: int
    above: F64

    @staticmethod
    def of(cells: list[Cell], policies: int) -> Others:
        """All of these cells."""
        above = np.sum([cell.above for cell in cells], axis=0) if cells else np.zeros(policies)
        return Others(sum(cell.others for cell in cells), above)
