"""The misapplication miner: where one rule is taken for another more often than elsewhere.

A *cell* is (gold -> given) x content cluster x cohort, each of which may be "any". Its decisions are those whose gold
is ``gold``; its events those that were given ``given``. It is held against its complement, the decisions of the same
gold outside the cell, by Fisher's exact test (one-sided); where neither cluster nor cohort is named, against all
decisions of other gold and any error of theirs. Near-duplicates, and several answers to one item, are not independent:
counts are divided by the design effect 1 + (m - 1) rho of Rao and Scott (1992), with rho from the analysis of variance
of the whole gold's decisions by near-duplicate group, and m the cell's own mean group size, weighted by size. Where
each group was decided once, nothing is divided.

Which cells are tested depends on how many decisions they hold, never on their errors, so that Benjamini and Hochberg's
bound holds over all of them. What stands then overlaps: a careless person raises their team and language too. So the
patterns are taken one by one: the cell with the smallest p, then the others anew without its decisions.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labeling.quality.fisher import F64, adjusted, tails
from labeling.quality.judged import I64, Flags, Judged

ANY = -1
_MOST = 400  # candidates that are looked at one by one


@dataclass(frozen=True, slots=True)
class Terms:
    """``rate``: the false-discovery rate. A cell is tested from ``least_n`` decisions on; a pattern has
    ``least_events`` events in ``least_groups`` groups of near-duplicates at least, at ``least_lift`` times the rate
    outside. ``most`` patterns are told."""

    rate: float = 0.10
    least_n: int = 20
    least_events: int = 5
    least_groups: int = 3
    least_lift: float = 1.5
    most: int = 25


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """A cell. ``gold``, ``given``, ``cluster`` and ``level`` are codes, ANY: any. ``cohort``: a name of
    ``Judged.cohorts``, "": any."""

    gold: int
    given: int
    cluster: int
    cohort: str
    level: int


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """A pattern: ``events`` of ``n`` in the cell, ``other_events`` of ``other_n`` outside, without the decisions of the
    patterns before it; ``p`` of that table, ``q`` of the cell among all. ``deff``: by how much counts were divided.
    ``rows``: the decisions of the cell, ``hits``: its events, ``other_hits``: those outside."""

    key: Key
    events: int
    n: int
    other_events: int
    other_n: int
    p: float
    q: float
    deff: float
    rows: I64
    hits: I64
    other_hits: I64

    @property
    def lift(self) -> float:
        """The rate over the complement's; infinite where nothing is wrong there."""
        other = self.other_events / self.other_n if self.other_n else 0.0
        return (self.events / self.n) / other if other else math.inf


@dataclass(frozen=True, slots=True, eq=False)
class Mined:
    """``patterns`` in the order they were taken. ``tests``: cells that were tested; ``standing``: those with q at the
    rate or below, before one explains another."""

    patterns: tuple[Found, ...]
    tests: int
    standing: int


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """The decisions that a kind of error may befall (``base``) and those it did (``event``), (n,) each. ``rho``: how
    far groups of near-duplicates err together; ``deff``: the design effect of all of them."""

    gold: int
    given: int
    base: Flags
    event: Flags
    rho: float
    deff: float


def mine(table: Judged, terms: Terms | None = None) -> Mined:
    """The patterns of ``table``; the same decisions in another order give the same ones."""
    terms = terms or Terms()
    cells = [cell for scope in scopes(table, terms.least_events) for cell in _cells(table, scope, terms)]
    keys = [key for cell in cells for key in cell.keys]
    tests = sum(cell.tested for cell in cells)
    if not keys:
        return Mined((), tests, 0)
    p = np.concatenate([cell.p for cell in cells])
    q = adjusted(p, tests)
    standing = np.flatnonzero(q <= terms.rate)
    ordered = sorted(standing.tolist(), key=lambda place: (p[place], _breadth(keys[place]), keys[place]))[:_MOST]
    by_key = {(cell.scope.gold, cell.scope.given): cell.scope for cell in cells}
    candidates = [_Candidate(table, keys[place], by_key, float(q[place])) for place in ordered]
    bar = float(p[standing].max()) if len(standing) else 0.0
    return Mined(tuple(_taken(table, candidates, terms, bar)), tests, len(standing))


def identity(*parts: str) -> str:
    """A pattern's id: 16 hex digits of the SHA-256 of what defines it."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]


def scopes(table: Judged, least_events: int) -> Iterator[Scope]:
    """Any error at all; any error by gold; each (gold -> given): of those with so many events."""
    everything = np.ones(len(table), dtype=np.bool_)
    given = np.bincount(table.given.codes[table.wrong], minlength=len(table.given.names))
    if table.wrong.sum() >= least_events:
        yield _scope(table, ANY, ANY, everything, table.wrong)
    for gold in range(len(table.gold.names)):
        base = table.gold.codes == gold
        wrong = base & table.wrong
        given = np.bincount(table.given.codes[wrong], minlength=len(table.given.names))
        told = np.flatnonzero(given >= least_events).tolist()
        if wrong.sum() >= least_events and (len(told) != 1 or given[told[0]] < wrong.sum()):
            yield _scope(table, gold, ANY, base, wrong)
        for other in told:
            yield _scope(table, gold, other, base, wrong & (table.given.codes == other))


def _scope(table: Judged, gold: int, given: int, base: Flags, event: Flags) -> Scope:
    rows = np.flatnonzero(base)
    groups = table.group.codes[rows]
    rho = _rho(np.unique(groups, return_inverse=True)[1], event[rows].astype(np.float64))
    return Scope(gold, given, base, event, rho, _deff(groups, rho))


def _deff(groups: I64, rho: float) -> float:
    """The design effect of decisions with these groups."""
    return 1 + (float(_sizes(np.zeros(len(groups), dtype=np.int64), groups, 1)[0]) - 1) * rho


def _rho(groups: I64, y: F64) -> float:
    """The intra-class correlation by analysis of variance, between 0 and 1; 0 where no group has two."""
    sizes = np.bincount(groups).astype(np.float64)
    n, k = len(y), len(sizes)
    if n == k or k < 2:
        return 0.0
    means = np.bincount(groups, weights=y) / sizes
    within = float(np.sum((y - means[groups]) ** 2)) / (n - k)
    between = float(np.sum(sizes * (means - y.mean()) ** 2)) / (k - 1)
    usual = (n - float(np.sum(sizes**2)) / n) / (k - 1)
    spread = between + (usual - 1) * within
    return min(max((between - within) / spread, 0.0), 1.0) if spread > 0 else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class _Cells:
    """The cells of a scope that hold an event, and how many were ``tested``."""

    scope: Scope
    keys: list[Key]
    p: F64
    tested: int


def _cells(table: Judged, scope: Scope, terms: Terms) -> Iterator[_Cells]:
    rows = np.flatnonzero(scope.base)
    whole = int(scope.event.sum()), len(rows)
    if scope.gold != ANY:
        yield from _everyone(table, scope, whole, terms)
    for cohort in ("", *table.cohorts):
        levels = table.cohorts[cohort].codes[rows] if cohort else np.zeros(len(rows), dtype=np.int64)
        for clustered in (False, True):
            if not cohort and not clustered:
                continue
            clusters = table.cluster.codes[rows] if clustered else np.zeros(len(rows), dtype=np.int64)
            known = (levels >= 0) & (clusters >= 0)
            if known.any():
                width = int(levels.max()) + 1
                code = (clusters * width + levels)[known]
                yield _view(table, scope, rows[known], code, width, cohort, clustered, whole, terms)


def _view(
    table: Judged,
    scope: Scope,
    rows: I64,
    code: I64,
    width: int,
    cohort: str,
    clustered: bool,
    whole: tuple[int, int],
    terms: Terms,
) -> _Cells:
    """One way to cut a scope: all its cells of enough decisions."""
    cells, place = np.unique(code, return_inverse=True)
    n = np.bincount(place)
    events = np.bincount(place, weights=scope.event[rows]).astype(np.int64)
    large = (n >= terms.least_n) & (n < whole[1])
    hit = np.flatnonzero(large & (events > 0))
    deff = 1 + (_sizes(place, table.group.codes[rows], len(cells))[hit] - 1) * scope.rho
    p = _tail(events[hit], n[hit], whole[0] - events[hit], whole[1] - n[hit], deff, scope.deff)
    keys = [
        Key(
            scope.gold,
            scope.given,
            int(cells[c]) // width if clustered else ANY,
            cohort,
            int(cells[c]) % width if cohort else ANY,
        )
        for c in hit
    ]
    return _Cells(scope, keys, p, int(large.sum()))


def _everyone(table: Judged, scope: Scope, whole: tuple[int, int], terms: Terms) -> Iterator[_Cells]:
    """The scope itself, whoever decides whatever: against the decisions of other gold."""
    outside = ~scope.base
    if whole[1] < terms.least_n or not outside.any():
        return
    key = Key(scope.gold, scope.given, ANY, "", ANY)
    other = int(table.wrong[outside].sum()), int(outside.sum())
    p = _tail([whole[0]], [whole[1]], [other[0]], [other[1]], np.array([scope.deff]), scope.deff)
    yield _Cells(scope, [key], p, 1)


def _sizes(cell: I64, group: I64, cells: int) -> F64:
    """(cells,) mean number of a cell's decisions in a group, weighted by that number."""
    width = int(group.max()) + 1
    pair, counts = np.unique(cell * width + group, return_counts=True)
    squares = np.bincount(pair // width, weights=counts.astype(np.float64) ** 2, minlength=cells)
    sums = np.bincount(pair // width, weights=counts, minlength=cells)
    return np.asarray(squares / np.maximum(sums, 1), dtype=np.float64)


def _tail(
    events: npt.ArrayLike,
    n: npt.ArrayLike,
    other_events: npt.ArrayLike,
    other_n: npt.ArrayLike,
    deff: F64,
    other_deff: float | F64,
) -> F64:
    """p of tables whose counts are divided by design effects; what is rounded, is rounded against the pattern."""
    k, size = np.asarray(events) / deff, np.asarray(n) / deff
    other, rest = np.asarray(other_events) / other_deff, np.asarray(other_n) / other_deff
    tiny = 1e-9
    size, rest = np.ceil(size - tiny), np.ceil(rest - tiny)
    return tails(np.floor(k + tiny), size, np.minimum(np.ceil(other - tiny), rest), rest)


def _breadth(key: Key) -> int:
    """Of equal p the simplest cell is told: named parts fewer first, but a named error before any."""
    return (key.cluster != ANY) + (key.cohort != "") - (key.gold != ANY) - (key.given != ANY)


class _Candidate:
    """A cell that stands, with its rows."""

    def __init__(self, table: Judged, key: Key, by_key: dict[tuple[int, int], Scope], q: float) -> None:
        self.key, self.q = key, q
        self.scope = by_key[key.gold, key.given]
        inside = self.scope.base
        if key.cluster != ANY:
            inside = inside & (table.cluster.codes == key.cluster)
        if key.cohort:
            inside = inside & (table.cohorts[key.cohort].codes == key.level)
        self.rows = np.flatnonzero(inside)
        self.deff = _deff(table.group.codes[self.rows], self.scope.rho)
        self.is_whole = key.cluster == ANY and not key.cohort

    def outside(self, table: Judged, free: Flags) -> I64:
        """The events outside the cell, among the decisions that are ``free``."""
        if self.is_whole:
            return np.flatnonzero(free & ~self.scope.base & table.wrong)
        events = free & self.scope.base & self.scope.event
        events[self.rows] = False
        return np.flatnonzero(events)

    def counts(
        self, table: Judged, free: Flags, whole: dict[tuple[int, int], tuple[int, int]]
    ) -> tuple[int, int, int, int]:
        """Events and n in the cell and outside it, among the decisions that are ``free``."""
        mine = self.rows[free[self.rows]]
        events, n = int(self.scope.event[mine].sum()), len(mine)
        if self.is_whole:
            outside = free & ~self.scope.base
            return events, n, int(table.wrong[outside].sum()), int(outside.sum())
        at = (self.key.gold, self.key.given)
        if at not in whole:
            base = self.scope.base & free
            whole[at] = int(self.scope.event[base].sum()), int(base.sum())
        return events, n, whole[at][0] - events, whole[at][1] - n


def _taken(table: Judged, candidates: Sequence[_Candidate], terms: Terms, bar: float) -> Iterator[Found]:
    """The strongest candidate, then the strongest of the rest without its decisions, while any stands."""
    free, left = np.ones(len(table), dtype=np.bool_), list(candidates)
    for _ in range(terms.most):
        whole: dict[tuple[int, int], tuple[int, int]] = {}
        counted = [one.counts(table, free, whole) for one in left]
        if not counted:
            return
        k, n, other, rest = np.array(counted).T
        deffs = np.array([(one.deff, one.scope.deff) for one in left])
        p = _tail(k, n, other, rest, deffs[:, 0], deffs[:, 1])
        keep = [
            place
            for place in range(len(left))
            if p[place] <= bar and _supported(table, left[place], free, counted[place], terms)
        ]
        if not keep:
            return
        best = min(keep, key=lambda place: (p[place], _breadth(left[place].key), left[place].key))
        one = left[best]
        rows = one.rows[free[one.rows]]
        events, size, outside, outside_n = counted[best]
        yield Found(
            key=one.key,
            events=events,
            n=size,
            other_events=outside,
            other_n=outside_n,
            p=float(p[best]),
            q=one.q,
            deff=one.deff,
            rows=rows,
            hits=rows[one.scope.event[rows]],
            other_hits=one.outside(table, free),
        )
        free[one.rows] = False
        left = [left[place] for place in keep if place != best]


def _supported(table: Judged, one: _Candidate, free: Flags, counted: Sequence[int], terms: Terms) -> bool:
    k, n, other, rest = counted
    if k < terms.least_events or n < terms.least_n or rest < terms.least_n:
        return False
    if k * rest < terms.least_lift * other * n:
        return False
    rows = one.rows[free[one.rows]]
    return len(np.unique(table.group.codes[rows[one.scope.event[rows]]])) >= terms.least_groups
