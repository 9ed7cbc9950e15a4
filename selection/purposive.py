"""The ``uncertain`` lane: what a strategy finds worth asking, within quotas.

Chosen on purpose: no pi, no claim about the population. An item is asked about under one policy here, and one item of
a near-duplicate group.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from selection.errors import BadPlan
from selection.frame import Frame, Rows
from selection.hashing import F64, key
from selection.prices import Prices
from selection.strategies.base import Candidates, Chosen, Labelled
from selection.strategies.needs import check_needs
from selection.strategies.registry import entry, find
from selection.types import F32, Bool, Plan, Quota
from selection.whole import Others, Whole


@dataclass(frozen=True, slots=True)
class Choice:
    """A unit chosen by the lane, its utility, the strategy's reasons and its quota, if any."""

    unit: int
    utility: float
    reasons: tuple[str, ...]
    quota: Quota | None


def minutes_of(frame: Frame, plan: Plan, taken: Bool) -> float:
    """What the units ``taken`` (u,) cost, in minutes. Raises BadPlan where that is above the plan's bound already: the
    lanes of chance cannot leave a pick out without making every pi a lie."""
    minutes = frame.pool.minutes
    spent = 0.0 if minutes is None else float(minutes[frame.row[taken]].astype(np.float64).sum())
    if plan.max_minutes is not None and spent > plan.max_minutes:
        raise BadPlan(
            f"max_minutes: the picks of random, risk and stratified take {spent:.1f} minutes, above the bound of "
            f"{plan.max_minutes:g}: lower the budget or their shares, or raise the bound"
        )
    return spent


class Authors:
    """Who wrote each group's item, and which groups the bound per author still lets in: ``open`` (groups,)."""

    def __init__(self, frame: Frame, rows: Rows, most: int | None) -> None:
        self.open: Bool = np.ones(len(rows), dtype=bool)
        words = frame.pool.authors
        self._most = most
        self._author = np.full(len(rows), -1, dtype=np.int64)  # -1: unknown, so not bounded
        if most is None or words is None:
            return
        names, numbers = np.unique([words[row] for row in rows], return_inverse=True)
        self._author[:] = np.where(names[numbers] == "", -1, numbers)
        self._taken = np.zeros(len(names), dtype=np.int64)

    def take(self, place: int) -> None:
        """Count a pick; its author's other items are shut out once the bound is reached."""
        author = self._author[place]
        if self._most is None or author < 0:
            return
        self._taken[author] += 1
        if self._taken[author] >= self._most:
            self.open[self._author == author] = False


class UncertainLane:
    """One run of the lane over a frame; ``taken`` (u,) are units that other lanes have already, ``labelled`` what
    the strategy may learn from (None: nothing yet), ``whole`` what is known of items that the frame leaves out."""

    def __init__(
        self,
        frame: Frame,
        plan: Plan,
        strategy: str,
        taken: Bool,
        labelled: Labelled | None = None,
        whole: Whole | None = None,
    ) -> None:
        self._frame, self._plan, self._labelled = frame, plan, labelled
        self._choose = find(strategy)
        groups, self._place = np.unique(frame.group, return_inverse=True)
        self._unit = np.full((len(groups), len(frame.pool.policies)), -1, dtype=np.int64)  # (group, policy) to unit
        self._unit[self._place, frame.policy] = np.arange(len(frame))
        self._first = self._unit.max(axis=1)  # any unit of the group: what stands for its content
        self._open = self._unit >= 0
        self._open[self._place[taken]] = False
        self._all = self._candidates()
        check_needs(strategy, entry(strategy).needs, self._all)
        self._classes = {quota: self._members(quota) for quota in plan.quotas}
        self._counts = dict.fromkeys(plan.quotas, 0)
        self._authors = Authors(frame, self._rows(), plan.per_author)
        self._prices = Prices(frame.pool, plan, self._rows(), minutes_of(frame, plan, taken))
        self._cells = () if whole is None else whole.cells
        self._likes = self._places_of([cell.like for cell in self._cells])
        self._turns = 0
        self.choices: list[Choice] = []
        self.notes: list[str] = []

    def choose(self, n: int) -> None:
        """Fill ``choices`` with n units, guarantees first; every shortfall becomes one of ``notes``."""
        everyone = np.ones_like(self._open)
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
                f"(items of other lanes, one policy per item, quotas{self._bounds()})"
            )

    def _bounds(self) -> str:
        plan = self._plan
        bounds = {"per_author": plan.per_author, "max_minutes": plan.max_minutes}
        return "".join(f", {name} {bound:g}" for name, bound in bounds.items() if bound is not None)

    def _candidates(self) -> Candidates:
        frame, plan, rows = self._frame, self._plan, self._rows()
        return Candidates(
            embeddings=frame.embeddings,
            at=frame.at[rows],
            probabilities=self._by_policy(frame.moved),
            open=self._open,
            thresholds=np.array([plan.thresholds[policy] for policy in frame.pool.policies], np.float64),
            weights=np.array([plan.severities[policy] for policy in frame.pool.policies], np.float64),
            ties=frame.item_uniforms(rows, plan.seed, "uncertain"),
            temperature=plan.temperature,
            labelled=self._labelled,
            members=None if frame.pool.members is None else frame.pool.members[:, rows],
            disagreement=None if frame.disagreement is None else self._by_policy(frame.disagreement),
            near=frame.pool.near,
        )

    def _rows(self) -> Rows:
        """(groups,) the pool's row that stands for each group's content."""
        return cast(Rows, self._frame.row[self._first])

    def _by_policy(self, values: F64) -> F32:
        """(u,) to (groups, policies), 0 where a group has no unit."""
        spread_out = np.zeros(self._unit.shape, np.float32)
        spread_out[self._place, self._frame.policy] = values
        return spread_out

    def _members(self, quota: Quota) -> Bool:
        """(groups, policies): the pairs that count for it."""
        frame = self._frame
        if quota.key == "policy":
            mine = np.arange(len(frame.pool.policies)) == frame.pool.policies.index(quota.value)
            return cast(Bool, np.broadcast_to(mine, self._open.shape))
        tags = np.array([tag == quota.value for tag in frame.pool.words(quota.key) or ()])
        members = np.zeros(self._open.shape, dtype=bool)
        members[self._place, frame.policy] = tags[frame.row]
        return members

    def _fill(self, among: Bool, n: int, quota: Quota | None) -> None:
        """Choose n units of ``among``. Each turn that falls short has used up a quota, so turns are few."""
        while n > 0:
            allowed = self._allowed(among)
            places = np.flatnonzero(allowed.any(axis=1))
            if len(places) == 0:
                return
            seed = key(self._plan.seed, "uncertain", self._turns) % 2**31
            candidates = replace(self._all.of(places), open=allowed[places], others=self._others(among))
            found = self._choose(candidates, min(self._prices.wanted(n), len(places)), seed)
            self.notes += [note for note in found.notes if note not in self.notes]
            n -= self._take_all(places, self._prices.sorted(candidates, found, places), n, quota)
            self._turns += 1

    def _allowed(self, among: Bool) -> Bool:
        return self._within(among & self._open & (self._authors.open & self._prices.affordable())[:, None])

    def _within(self, pairs: Bool) -> Bool:
        """Those of ``pairs`` that no full quota shuts out."""
        for quota, members in self._classes.items():
            if quota.at_most is not None and self._counts[quota] >= quota.at_most:
                pairs = pairs & ~members
        return pairs

    def _others(self, among: Bool) -> Others | None:
        """Who would be a candidate, had the frame not left them out."""
        if not self._cells:
            return None
        asked = np.flatnonzero(self._within(among & (self._unit >= 0))[self._likes].any(axis=1))
        return Others.of([self._cells[number] for number in asked.tolist()], self._unit.shape[1])

    def _places_of(self, ids: Sequence[str]) -> Rows:
        """The places of these items' groups, each the only one of its group."""
        rows = {item_id: row for row, item_id in enumerate(self._frame.pool.ids)} if ids else {}
        groups = np.unique(self._frame.group)
        return np.searchsorted(groups, np.array([rows[item_id] for item_id in ids], np.int64)).astype(np.int64)

    def _take_all(self, places: Rows, found: Chosen, n: int, quota: Quota | None) -> int:
        """Take n at most of what was found; how many were taken."""
        taken = 0
        for row, policy, utility, reasons in zip(
            places[found.rows].tolist(), found.policies.tolist(), found.utilities.tolist(), found.reasons, strict=True
        ):
            if taken < n and self._prices.fits(row):
                taken += self._take(row, policy, Choice(int(self._unit[row, policy]), utility, reasons, quota))
        return taken

    def _take(self, place: int, policy: int, choice: Choice) -> bool:
        mine = [other for other, members in self._classes.items() if members[place, policy]]
        if any(other.at_most is not None and self._counts[other] >= other.at_most for other in mine):
            return False
        if not self._authors.open[place]:
            return False
        self._authors.take(place)
        self._prices.take(place)
        for other in mine:
            self._counts[other] += 1
        self._open[place] = False
        self.choices.append(choice)
        return True
