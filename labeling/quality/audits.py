"""Recall from audits of both sides: of what should have been removed, how much was?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from labeling.quality.intervals import upper_bound


@dataclass(frozen=True, slots=True)
class Audit:
    """A stratum of ``items``, of which ``checked`` (1 or more, drawn at random) were judged anew; ``violating`` of
    these violate."""

    name: str
    items: int
    checked: int
    violating: int


@dataclass(frozen=True, slots=True)
class Recall:
    """``point``; ``floor``: with every approved stratum in which nothing was found at its exact 95 % upper bound, those
    strata named in ``empty``."""

    point: float
    floor: float
    empty: tuple[str, ...]


def recall_of(removed: Audit, approved: Sequence[Audit]) -> Recall:
    """Removed and violating, over all that violates. NaN where nothing violates."""
    right = removed.items * removed.violating / removed.checked
    missed = sum(each.items * each.violating / each.checked for each in approved)
    empty = [each for each in approved if each.violating == 0]
    unseen = sum(each.items * upper_bound(0, each.checked) for each in empty)
    return Recall(_share(right, missed), _share(right, missed + unseen), tuple(each.name for each in empty))


def _share(right: float, missed: float) -> float:
    return right / (right + missed) if right + missed else float("nan")
