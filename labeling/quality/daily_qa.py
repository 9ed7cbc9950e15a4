"""Which of a day's decisions are judged again: strata, how many of each, and which. Counts in, places out.

Decisions are cut by project, policy, language, outcome and person. Picks go by Neyman's rule (1934), ``n_h ~ N_h S_h``,
with ``S_h`` the mean over the stratum of severity weight x ``sqrt(p(1-p))``, where p is the chance that a decision is
wrong, as earlier days say; each stratum gets the floor at least. Where the budget does not reach that floor everywhere,
strata are not cut by person, then not by language, then not by policy, then by project alone. Within a stratum the draw
is systematic with a random start through a list sorted by what the strata were not cut by, so that those shares come
out even too. ``pi = n_h / N_h`` of each decision, exactly.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from labeling.errors import InvalidInput
from selection.strata import neyman

DIMENSIONS = ("project", "policy_id", "language", "outcome", "who")
LEVELS = (
    DIMENSIONS,
    ("project", "policy_id", "language", "outcome"),
    ("project", "policy_id", "outcome"),
    ("project", "outcome"),
    ("project",),
)
FLOOR = 2  # picks a stratum gets at least, so that its variance can be estimated
PRIOR_ANSWERS = 20.0  # how many answers the wider rate counts for in a narrower one
LEAST, MOST = 0.001, 0.5  # bounds of an error rate: nobody is beyond doubt, and sqrt(p(1-p)) falls again above a half
Cell = tuple[str, str, str, str, str]  # one value a dimension
Key = tuple[str, ...]
_GRID = 2**53  # a start's finest step


@dataclass(frozen=True, slots=True)
class Stratum:
    """``picks`` of ``units`` decisions are drawn; ``key`` has a value for each dimension of the plan's level."""

    key: Key
    units: int
    picks: int

    @property
    def pi(self) -> float:
        """The inclusion probability of each decision, in (0, 1]."""
        return self.picks / self.units


@dataclass(frozen=True, slots=True)
class Plan:
    """The strata, sorted by key, and the dimensions that they are cut by."""

    level: tuple[str, ...]
    strata: tuple[Stratum, ...]


def allocate(
    cells: Mapping[Cell, int],
    severities: Mapping[str, float],
    rates: Mapping[Cell, float],
    budget: int,
    floor: int = FLOOR,
) -> Plan:
    """Share ``budget`` picks (all decisions, where they are fewer). ``cells``: decisions of each; ``severities``:
    weight of each policy, above 0; ``rates``: how likely a decision of the cell is wrong, in (0, 1). Raises
    InvalidInput (budget) when it does not reach the floor for each project."""
    n = min(budget, sum(cells.values()))
    for level in LEVELS:
        keys = {cell: _key(cell, level) for cell in cells}
        units: Counter[Key] = Counter()
        spread: dict[Key, float] = defaultdict(float)
        for cell, count in cells.items():
            units[keys[cell]] += count
            spread[keys[cell]] += count * severities[cell[1]] * math.sqrt(rates[cell] * (1 - rates[cell]))
        names = sorted(units)
        sizes = np.array([units[name] for name in names], np.int64)
        if int(np.minimum(sizes, floor).sum()) > n:
            continue
        deviations = np.array([spread[name] / units[name] for name in names], np.float64)
        picks = neyman(sizes, deviations, n, floor).tolist() if names else []
        return Plan(level, tuple(Stratum(k, units[k], p) for k, p in zip(names, picks, strict=True) if p))
    projects = len({cell[0] for cell in cells})
    raise InvalidInput(
        f"budget: {budget} re-reviews are too few for {projects} projects; give {floor * projects} at least"
    )


def places(stratum: Stratum, start: float) -> list[int]:
    """Which places (from 0) of the stratum's list are drawn: systematic sampling from a random ``start`` in [0, 1).
    In whole numbers, since a sum that rounds up would draw a place twice."""
    begin = int(start * _GRID)
    return [(begin + i * _GRID) * stratum.units // (stratum.picks * _GRID) for i in range(stratum.picks)]


def error_rates(seen: Mapping[Cell, tuple[int, int]], cells: Sequence[Cell], prior: float) -> dict[Cell, float]:
    """How likely a decision of each of ``cells`` is wrong, in [LEAST, MOST]. ``seen``: answers and errors of earlier
    days. The rate of a policy's outcome is drawn towards ``prior``, that of a cell towards its policy's outcome, each
    by ``PRIOR_ANSWERS``."""
    wide: dict[Key, tuple[int, int]] = {}
    for cell, (n, errors) in seen.items():
        before = wide.get(_group(cell), (0, 0))
        wide[_group(cell)] = (before[0] + n, before[1] + errors)
    rates = {}
    for cell in cells:
        rate = _drawn(wide.get(_group(cell), (0, 0)), prior)
        rates[cell] = min(MOST, max(LEAST, _drawn(seen.get(cell, (0, 0)), rate)))
    return rates


def _drawn(counts: tuple[int, int], towards: float) -> float:
    return (counts[1] + PRIOR_ANSWERS * towards) / (counts[0] + PRIOR_ANSWERS)


def _group(cell: Cell) -> Key:
    return cell[1], cell[3]


def _key(cell: Cell, level: Sequence[str]) -> Key:
    return tuple(value for name, value in zip(DIMENSIONS, cell, strict=True) if name in level)
