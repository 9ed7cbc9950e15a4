"""Strategies that look for more of what is rare, around the violations that people have found. They need labels."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from selection.hashing import F64
from selection.strategies import needs
from selection.strategies.base import Candidates, Chosen, Rows, chosen
from selection.strategies.cover import farthest_first
from selection.strategies.exact import GRID, dots, grid
from selection.strategies.shortlist import A_PICK, LEAST, at_threshold, by_value
from selection.types import F32, Bool

NEAREST = 100  # neighbours of each violation (SEALS)
POSITIVES = 50  # violations of a policy that are searched around, spread by k-center where there are more
ANCHORS = 10  # of a policy
WIDER = 4  # times the neighbours that are asked of an index, since it is approximate and knows of no quotas
_BLOCK = 16_384  # rows at a time


def seals(candidates: Candidates, n: int, _: int) -> Chosen:
    """The pairs nearest their threshold, among the nearest neighbours of the violations labelled under that policy."""
    near = np.zeros(candidates.open.shape, dtype=bool)
    for policy, found in enumerate(positives(candidates, POSITIVES)):
        near[nearest(candidates, found, NEAREST), policy] = True
    return _within(candidates, near, n, "near a labelled violation")


def anchors(candidates: Candidates, n: int, _: int) -> Chosen:
    """The pairs nearest their threshold in a pool of its own for each policy: what lies nearest, on average, to a few
    violations labelled under it that differ most. Policies take turns, the one with the fewest violations first."""
    pools = np.zeros(candidates.open.shape, dtype=bool)
    found = positives(candidates, ANCHORS)
    each = max(A_PICK * n, LEAST) // max(1, sum(len(rows) > 0 for rows in found))
    for policy, rows in enumerate(found):
        if len(rows):
            pools[_most(mean_cosine(candidates, rows), candidates.ties, each), policy] = True
    return _within(candidates, pools, n, "in an anchored pool", _counts(candidates))


def positives(candidates: Candidates, most: int) -> list[F32]:
    """For each policy (p, d) rows of the grid: at most that many of the violations labelled under it, far apart."""
    labelled = needs.labels(candidates)
    found = []
    for answers in labelled.answers.T:
        rows = grid(labelled.embeddings[answers == 1])
        found.append(rows[np.sort(farthest_first(rows, most))])
    return found


def nearest(candidates: Candidates, queries: F32, k: int) -> Rows:
    """Rows that are among the k of largest cosine to any of (q, d) queries on the grid: exact, and equal ones by
    ``ties``. O(N q d), streamed; with an index, exact among ``WIDER`` k a query that it finds."""
    if not len(queries):
        return np.zeros(0, dtype=np.int64)
    if candidates.near is not None:
        found = candidates.near(queries / np.float32(GRID), WIDER * k)
        at = np.arange(len(candidates), dtype=np.int64) if candidates.at is None else candidates.at
        rows = np.flatnonzero(np.isin(at, found)).astype(np.int64)
        return rows[nearest(replace(candidates.of(rows), near=None), queries, k)]
    keys = np.full((len(queries), k), -math.inf)  # whole cosine + tie: all differ
    rows = np.full((len(queries), k), -1, dtype=np.int64)
    for start in range(0, len(candidates), _BLOCK):
        cosines = queries @ grid(candidates.vectors(slice(start, start + _BLOCK))).T
        for query, line in enumerate(cosines):
            hits = np.flatnonzero(line >= np.floor(keys[query].min()))
            both = np.concatenate([keys[query], line[hits].astype(np.float64) + candidates.ties[start + hits]])
            best = np.argpartition(-both, k - 1)[:k]
            keys[query], rows[query] = both[best], np.concatenate([rows[query], start + hits])[best]
    return np.unique(rows[rows >= 0]).astype(np.int64)


def mean_cosine(candidates: Candidates, anchors: F32) -> F64:
    """(N,) to (a, d) rows of the grid."""
    total = anchors.sum(axis=0, dtype=np.float64)
    return dots(candidates.vectors, len(candidates), total) / (len(anchors) * GRID**2)


def _counts(candidates: Candidates) -> F64:
    return np.asarray((needs.labels(candidates).answers == 1).sum(axis=0), dtype=np.float64)


def _most(values: F64, ties: F64, count: int) -> Rows:
    return np.asarray(np.lexsort((ties, -values))[:count], dtype=np.int64)


def _within(candidates: Candidates, pairs: Bool, n: int, why: str, turns: F64 | None = None) -> Chosen:
    """Pairs of ``pairs`` by value (by turns of the policies where ``turns`` ranks those), then the others by value."""
    utilities = at_threshold(candidates)
    ahead = pairs & candidates.open
    inside = np.where(ahead, utilities, 0.0)
    everyone = by_value(candidates, utilities, len(candidates))
    short = by_value(candidates, inside, len(candidates))
    mine = ahead[short.rows, short.policies[short.rows]]
    first = short.rows[mine]
    if turns is not None:
        first = first[_by_turns(short.policies[first], turns)]
    first = first[:n]
    rest = everyone.rows[~np.isin(everyone.rows, first)][: n - len(first)]
    policies = everyone.policies.copy()
    policies[first] = short.policies[first]
    reasons: list[tuple[str, ...]] = [*[(why,)] * len(first), *[("filled by value",)] * len(rest)]
    result = chosen(np.concatenate([first, rest]), policies, utilities, reasons)
    if not len(rest):
        return result
    note = f"{len(rest)} of {n} picks chosen by value alone: no more pairs lie {why}"
    return replace(result, notes=(note,))


def _by_turns(policies: Rows, rarity: F64) -> Rows:
    """An order in which the policies take turns, the smallest ``rarity`` first, each in the order given."""
    turn = np.empty(len(policies), dtype=np.int64)
    for policy in np.unique(policies):
        mine = policies == policy
        turn[mine] = np.arange(int(mine.sum()))
    return np.asarray(np.lexsort((policies, rarity[policies], turn)), dtype=np.int64)
