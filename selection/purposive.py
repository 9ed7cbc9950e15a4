"""The ``uncertain`` lane: what the model is least sure of, weighted by severity, spread by content, within quotas.

Chosen on purpose: no pi, no claim about the population. An item is asked about under one policy here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np

from selection.diversity import spread
from selection.errors import BadPool
from selection.frame import Frame, Rows
from selection.hashing import F64, key
from selection.types import Bool, Plan, Quota
from selection.uncertainty import DISAGREEMENT, disagreement_utility, find_strategy


@dataclass(frozen=True, slots=True)
class Choice:
    """A unit chosen by the lane, its utility, its cluster (None: clustering did not decide) and its quota, if any."""

    unit: int
    utility: float
    cluster: int | None
    quota: Quota | None


class UncertainLane:
    """One run of the lane over a frame; ``taken`` (u,) are units that other lanes have already."""

    def __init__(self, frame: Frame, plan: Plan, strategy: str, taken: Bool) -> None:
        self._frame, self._plan = frame, plan
        self._utility = _utility(frame, plan, strategy)
        ties = frame.uniforms(plan.seed, "uncertain")
        self._order: Rows = np.lexsort((ties, -self._utility * frame.of_policy(plan.severities))).astype(np.int64)
        self._open_groups = np.ones(len(frame.pool.ids), dtype=bool)
        self._open_groups[frame.group[taken]] = False
        self._classes = {quota: self._members(quota) for quota in plan.quotas}
        self._counts = dict.fromkeys(plan.quotas, 0)
        self._clusters = 0
        self.choices: list[Choice] = []
        self.notes: list[str] = []

    def choose(self, n: int) -> None:
        """Fill ``choices`` with n units, guarantees first; every shortfall becomes one of ``notes``."""
        everyone = np.ones(len(self._frame), dtype=bool)
        for quota in self._plan.quotas:
            missing = quota.at_least - self._counts[quota]
            if missing > 0:
                self._fill(self._classes[quota], min(missing, n - len(self.choices)), quota)
        self._fill(everyone, n - len(self.choices), None)
        for quota in self._plan.quotas:
            count, least = self._counts[quota], quota.at_least
            if count < least:
                self.notes.append(f"quota {quota.key} {quota.value}: at least {least} asked for, {count} picked")
        if len(self.choices) < n:
            self.notes.append(
                f"lane uncertain is short by {n - len(self.choices)}: nothing else is open "
                f"(items of other lanes, one policy per item, quotas)"
            )

    def _members(self, quota: Quota) -> Bool:
        frame = self._frame
        if quota.key == "policy":
            return cast(Bool, frame.policy == frame.pool.policies.index(quota.value))
        return cast(Bool, np.array([tag == quota.value for tag in frame.pool.languages])[frame.row])

    def _fill(self, among: Bool, n: int, quota: Quota | None) -> None:
        """Choose n units of ``among``. Each turn that falls short has used up a quota, so turns are few."""
        while n > 0:
            shortlist = self._shortlist(among, n)
            if len(shortlist) == 0:
                return
            seed = key(self._plan.seed, "diverse", self._clusters) % 2**31
            chosen = spread(self._frame.pool.embeddings[self._frame.row[shortlist]], n, seed)
            if chosen.note:
                self.notes.append(chosen.note)
            for unit, cluster in zip(shortlist[chosen.rows].tolist(), chosen.clusters.tolist(), strict=True):
                n -= self._take(unit, None if cluster < 0 else self._clusters + cluster, quota)
            self._clusters += int(chosen.clusters.max()) + 1

    def _shortlist(self, among: Bool, n: int) -> Rows:
        """The most uncertain open units, most uncertain first, one per group, ``shortlist_factor * n`` at most."""
        frame, limit = self._frame, self._plan.shortlist_factor * n
        open_units = among & self._open_groups[frame.group]
        for quota, members in self._classes.items():
            if quota.at_most is not None and self._counts[quota] >= quota.at_most:
                open_units &= ~members
        # A group has at most one unit per policy, so this many units hold enough groups.
        units = self._order[open_units[self._order]][: limit * len(frame.pool.policies)]
        _, firsts = np.unique(frame.group[units], return_index=True)
        return cast(Rows, units[np.sort(firsts)[:limit]])

    def _take(self, unit: int, cluster: int | None, quota: Quota | None) -> bool:
        mine = [other for other, members in self._classes.items() if members[unit]]
        if any(other.at_most is not None and self._counts[other] >= other.at_most for other in mine):
            return False
        for other in mine:
            self._counts[other] += 1
        self._open_groups[self._frame.group[unit]] = False
        self.choices.append(Choice(unit, float(self._utility[unit]), cluster, quota))
        return True


def _utility(frame: Frame, plan: Plan, strategy: str) -> F64:
    """(u,) in [0, 1]. Raises BadPool where the strategy asks for a disagreement that the pool lacks."""
    if strategy != DISAGREEMENT:
        return find_strategy(strategy)(frame.probability, frame.of_policy(plan.thresholds), plan.temperature)
    if frame.disagreement is None:
        raise BadPool("disagreement: the pool has none; a plan that asks for it is refused by check_plan")
    return disagreement_utility(frame.disagreement)
