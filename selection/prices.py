"""What a pick costs people: the lane ``uncertain`` may want the most value a minute or a unit of exposure, and stop
when the plan's minutes are spent."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from selection.frame import Rows
from selection.hashing import F64
from selection.strategies.base import Candidates, Chosen, ranked
from selection.types import Bool, Plan, Pool

WIDER = 4  # candidates a pick that a strategy brings when their costs decide among them
_LEAST_SHARE = 1e-2  # of the mean cost: what nearly nothing counts as, or it would beat whatever is worth asking


class Prices:
    """The costs of m items (``rows`` of the pool), and the minutes that are left of the plan's."""

    def __init__(self, pool: Pool, plan: Plan, rows: Rows, spent: float) -> None:
        """``spent``: minutes that other lanes have taken already."""
        costs = {"pick": None, "minute": pool.minutes, "exposure": pool.exposure}[plan.per]
        self._per = plan.per
        self._costs: F64 | None = None if costs is None else costs[rows].astype(np.float64)
        self._minutes: F64 = np.zeros(len(rows)) if pool.minutes is None else pool.minutes[rows].astype(np.float64)
        self.left = np.inf if plan.max_minutes is None else plan.max_minutes - spent

    def wanted(self, n: int) -> int:
        """How many candidates to ask a strategy for when n are to be taken."""
        return n if self._costs is None else WIDER * n

    def affordable(self) -> Bool:
        """(m,) whose minutes are left."""
        return self._minutes <= self.left + 1e-9

    def fits(self, place: int) -> bool:
        """Are the minutes of this item left?"""
        return bool(self._minutes[place] <= self.left + 1e-9)

    def take(self, place: int) -> None:
        """Spend the minutes of an item."""
        self.left -= float(self._minutes[place])

    def sorted(self, candidates: Candidates, found: Chosen, places: Rows) -> Chosen:
        """What a strategy brought, most severity-weighted utility per cost first; ``places``: the candidates' own."""
        if self._costs is None:
            return found
        costs = self._costs[places[found.rows]]
        costs = np.maximum(costs, _LEAST_SHARE * float(self._costs.mean()))
        value = found.utilities - min(0.0, float(found.utilities.min()))
        worth = value * candidates.weights[found.policies] / np.where(costs > 0, costs, 1.0)
        order = ranked(worth, candidates.ties[found.rows])
        why = [(*found.reasons[row], f"worth {worth[row]:.3g} per {self._per}") for row in order]
        return replace(
            found,
            rows=found.rows[order],
            policies=found.policies[order],
            utilities=found.utilities[order],
            reasons=tuple(why),
        )
