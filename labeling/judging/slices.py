"""Cells of golden rows, and which of them may be told when single answers must stay hidden."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from labeling.records import GoldenItem, Outcome


@dataclass(frozen=True, slots=True)
class Cell:
    """Some rows of one policy, or (``policy`` "") of all: those whose ``dimension`` has this ``value``; dimension "all"
    has one value, "". ``places``: their numbers among the rows they were taken from."""

    policy: str
    dimension: str
    value: str
    places: tuple[int, ...]

    @property
    def name(self) -> str:
        what = [f"policy={self.policy}"] if self.policy else []
        return " ".join([*what, *([f"{self.dimension}={self.value}"] if self.dimension != "all" else [])])


Read = Callable[[GoldenItem], str | None]


def cells(rows: Sequence[GoldenItem], dimensions: Mapping[str, Read]) -> list[Cell]:
    """Each policy whole, and cut by each dimension that has two values or more there; None: in none of its cells."""
    found = []
    for policy in sorted({row.policy_id for row in rows}):
        mine = [place for place, row in enumerate(rows) if row.policy_id == policy]
        found.append(Cell(policy, "all", "", tuple(mine)))
        for dimension, read in dimensions.items():
            parts = cut(rows, mine, read)
            if len(parts) > 1:
                found += [Cell(policy, dimension, value, places) for value, places in sorted(parts.items())]
    return found


def by_severity(rows: Sequence[GoldenItem]) -> list[Cell]:
    """The violating rows of each severity, over all policies; 4 first."""
    parts = cut(rows, range(len(rows)), severity)
    return [Cell("", "severity", value, parts[value]) for value in sorted(parts, reverse=True)]


def severity(row: GoldenItem) -> str | None:
    """Of what violates; None for what is allowed, and where nobody said."""
    return None if row.severity is None or row.outcome is not Outcome.VIOLATES else str(row.severity)


def cut(rows: Sequence[GoldenItem], places: Sequence[int], read: Read) -> dict[str, tuple[int, ...]]:
    """The places by what is read off their rows."""
    parts: dict[str, list[int]] = {}
    for place in places:
        value = read(rows[place])
        if value is not None:
            parts.setdefault(value, []).append(place)
    return {value: tuple(found) for value, found in parts.items()}


def one_a_group(rows: Sequence[GoldenItem]) -> list[GoldenItem]:
    """One row for each near-duplicate group and policy, since copies are one observation: the one whose item id has the
    lowest hash, whatever the order the rows come in. Sorted by (item, policy)."""
    kept: dict[tuple[str, str], GoldenItem] = {}
    for row in rows:
        key = (row.group_id, row.policy_id)
        if key not in kept or _hash(row) < _hash(kept[key]):
            kept[key] = row
    return sorted(kept.values(), key=lambda row: (row.item_id, row.policy_id))


def hidden(found: Sequence[Cell], least: int) -> set[Cell]:
    """The cells that must not be told: those of fewer than ``least`` rows, and as many more, the smallest first, as it
    takes that what the told cells of a dimension leave over of their policy (or of all rows) is ``least`` rows or
    nothing. Else the answers of a small cell could be had by subtraction."""
    secret: set[Cell] = set()
    whole = {cell.policy: len(cell.places) for cell in found if cell.dimension == "all"}
    for policy, dimension in dict.fromkeys((cell.policy, cell.dimension) for cell in found):
        mine = sorted((c for c in found if (c.policy, c.dimension) == (policy, dimension)), key=lambda c: len(c.places))
        told = [cell for cell in mine if len(cell.places) >= least]
        total = whole.get(policy, sum(whole.values()))
        while told and 0 < total - sum(len(cell.places) for cell in told) < least:
            told.pop(0)
        secret.update(cell for cell in mine if cell not in told)
    return secret


def _hash(row: GoldenItem) -> bytes:
    return sha256(row.item_id.encode()).digest()
