"""What a strategy is given and what it gives back: arrays, one row an item.

A strategy is a function ``(candidates, n, seed) -> Chosen``. It is given one item of each near-duplicate group, in the
order of their ids, and its answer depends on the values alone: not on the number of threads, and on the order of rows
only where two items tie in everything, which ``ties`` decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import numpy.typing as npt

from selection.hashing import F64
from selection.types import F16, F32, Bool, Near
from selection.whole import Others

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Labelled:
    """What people have settled already. ``embeddings`` (l, d) unit rows; ``answers`` (l, k) float32: 1 violates, 0
    does not, NaN where nobody was asked; ``probabilities`` (l, k) float32, what the model says of them now."""

    embeddings: F16 | F32
    answers: F32
    probabilities: F32


@dataclass(frozen=True, slots=True)
class Candidates:
    """m items under k policies. ``embeddings`` (s, d) unit rows, or zero where there is none: those of item i lie in
    row ``at[i]`` (None: in row i), so that a large pool is not copied; ask ``vectors`` for them. ``probabilities`` (m,
    k) float32 in [0, 1]; ``open`` (m, k) bool: pairs that may be chosen, at least one a row; ``thresholds`` (k,) the
    operating thresholds in (0, 1); ``weights`` (k,) the severities, above 0; ``ties`` (m,) uniform numbers of their
    own; ``temperature`` > 0 of ``exp(-|logit p - logit tau| / temperature)``; ``labelled``: None in a cold start;
    ``members`` (c, m, k) float32: the probabilities of each member of a committee, None without one;
    ``disagreement`` (m, k) float32 in [0, ln 2]: how far the members of the scorer that scored them differ (BALD in
    nats), None where it is no committee; ``others``: candidates that were left out because no rank by value or by
    chance that the strategy may ask for reaches them, None where all are here; ``near``: rows of
    ``embeddings`` that are about the k nearest to any of (q, d) queries, None where no index is kept."""

    embeddings: F16 | F32
    probabilities: F32
    open: Bool
    thresholds: F64
    weights: F64
    ties: F64
    temperature: float = 1.0
    labelled: Labelled | None = None
    members: F32 | None = None
    disagreement: F32 | None = None
    at: Rows | None = None
    others: Others | None = None
    near: Near | None = None

    def __len__(self) -> int:
        return len(self.ties)

    def vectors(self, rows: Rows | slice) -> F16 | F32:
        """(r, d) embeddings of those items."""
        return self.embeddings[rows if self.at is None else self.at[rows]]

    def of(self, rows: Rows) -> Candidates:
        """Those rows alone."""
        return replace(
            self,
            at=rows if self.at is None else self.at[rows],
            probabilities=self.probabilities[rows],
            open=self.open[rows],
            ties=self.ties[rows],
            members=None if self.members is None else self.members[:, rows],
            disagreement=None if self.disagreement is None else self.disagreement[rows],
        )


@dataclass(frozen=True, slots=True)
class Chosen:
    """min(n, m) rows, best first, no row twice; for each the policy column to ask about, the utility (of its own pair,
    unweighted), and why in words beside that; ``notes``: stated fallbacks."""

    rows: Rows
    policies: Rows
    utilities: F64
    reasons: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


Choose = Callable[[Candidates, int, int], Chosen]


def best_policy(candidates: Candidates, utilities: F64) -> tuple[Rows, F64]:
    """Of (m, k) utilities the policy column whose severity-weighted one is largest among the open (the first of
    equals), and that (m,) weighted value."""
    weighted = np.where(candidates.open, utilities * candidates.weights, -np.inf)
    policies = weighted.argmax(axis=1).astype(np.int64)
    return policies, cast(F64, weighted[np.arange(len(weighted)), policies])


def ranked(values: F64, ties: F64) -> Rows:
    """Row numbers, largest value first, equal ones by ``ties``."""
    return np.asarray(np.lexsort((ties, -values)), dtype=np.int64)


def top(values: F64, ties: F64, n: int) -> Rows:
    """``ranked(values, ties)[:n]``, in time linear in the rows."""
    if n >= len(values):
        return ranked(values, ties)
    if n <= 0:
        return np.empty(0, np.int64)
    least = np.partition(values, len(values) - n)[len(values) - n]
    rows = np.flatnonzero(values >= least)
    return rows[ranked(values[rows], ties[rows])[:n]]


def chosen(rows: Rows, policies: Rows, utilities: F64, reasons: list[tuple[str, ...]] | None = None) -> Chosen:
    """``Chosen`` out of the rows and the (m,) policies and (m, k) utilities of all candidates."""
    mine = policies[rows]
    return Chosen(rows, mine, utilities[rows, mine], tuple(reasons or [()] * len(rows)))
