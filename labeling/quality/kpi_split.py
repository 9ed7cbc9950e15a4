"""Where a change of an error rate comes from: mix, within, gold relabel, policy break. The parts add up to the change.

The old period's rate as it was first told is ``e0'``; under gold of now it is ``e0``; the new period's is ``e1``.
``gold = e0 - e0'``: nobody decided otherwise, the answers changed. ``e1 - e0`` is Kitagawa's (1955) mix and within over
strata; what is within strata whose policy was changed meaningfully in between is a part of its own, since two
yardsticks measure such a stratum.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from labeling.quality.compare import split_change


@dataclass(frozen=True, slots=True)
class Cell:
    """A stratum. Weights: what it stands for in the old and the new period, at least 0, in any unit; rates of errors in
    [0, 1], None where the period has none of it. ``first``: the old rate as it was first told. ``is_break``: its policy
    changed meaningfully in between."""

    name: tuple[str, ...]
    weight_before: float
    weight_after: float
    first: float | None
    before: float | None
    after: float | None
    is_break: bool = False


@dataclass(frozen=True, slots=True)
class Split:
    """``total`` = ``mix`` + ``within`` + ``gold_relabel`` + ``policy_break``: the change from the rate ``first`` told
    to the new one."""

    first: float
    before: float
    after: float
    mix: float
    within: float
    gold_relabel: float
    policy_break: float

    @property
    def total(self) -> float:
        return math.fsum((self.mix, self.within, self.gold_relabel, self.policy_break))


def split_kpi(cells: Sequence[Cell]) -> Split:
    """A stratum that only one period has changes the mix alone: it is taken to have had the same rate. Raises
    ValueError where a period has no weight, or a weight no rate."""
    for cell in cells:
        if (cell.weight_before and None in (cell.first, cell.before)) or (cell.weight_after and cell.after is None):
            raise ValueError(f"stratum {cell.name}: has a weight and no rate")
    old, new = math.fsum(c.weight_before for c in cells), math.fsum(c.weight_after for c in cells)
    if old <= 0 or new <= 0:
        raise ValueError("a period has no weight")
    whole, broken = _split(cells, old, new), _split([cell for cell in cells if cell.is_break], old, new)
    kept = _split([cell for cell in cells if not cell.is_break], old, new)
    first = math.fsum(c.weight_before * (c.first or 0.0) for c in cells) / old
    before = math.fsum(c.weight_before * (c.before or 0.0) for c in cells) / old
    after = math.fsum(c.weight_after * (c.after or 0.0) for c in cells) / new
    return Split(first, before, after, whole[0], kept[1], before - first, broken[1])


def _split(cells: Sequence[Cell], old: float, new: float) -> tuple[float, float]:
    """Mix and within of some of the strata, weighed by all."""
    change = split_change(
        [cell.weight_before / old for cell in cells],
        [_rate(cell.before, cell.after) for cell in cells],
        [cell.weight_after / new for cell in cells],
        [_rate(cell.after, cell.before) for cell in cells],
    )
    return change.mix, change.within


def _rate(own: float | None, other: float | None) -> float:
    return own if own is not None else other if other is not None else 0.0
