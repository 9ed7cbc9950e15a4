"""The part of the candidates that a strategy looks at closely, in an order that the values alone decide."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from selection.hashing import F64, U64
from selection.strategies.base import Candidates, Chosen, Rows, best_policy, chosen, top
from selection.strategies.exact import grid
from selection.types import F32
from selection.uncertainty import threshold_utility

A_PICK = 20  # rows a pick
LEAST = 2_000  # rows, however few picks
PAIRWISE = 10_000  # rows at most where every row is compared with every other, unless more picks are asked for
LINEAR = 50_000  # rows at most where every row is compared with every pick
_DIGITS = 9  # values that agree to this many are equal: beyond, compilers and processors differ


@dataclass(frozen=True, slots=True)
class Short:
    """M of the candidates, the same ones in the same order however the candidates were ordered. ``rows`` (M,) their
    places there; ``values`` (M,) the severity-weighted utility of the policy that gains most."""

    of: Candidates
    utilities: F64  # (m, k), of all candidates
    policies: Rows  # (m,), of all candidates
    rows: Rows
    values: F64
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    def unit(self) -> F32:
        """(M, d) float32 unit rows."""
        return self.of.vectors(self.rows).astype(np.float32)

    def grid(self) -> F32:
        """(M, d) rows on the grid of ``exact``."""
        return grid(self.of.vectors(self.rows))

    def hashes(self) -> U64:
        """(M,) a 64-bit number an item, for ``hashing.uniforms``: the bits of ``ties``."""
        return np.ascontiguousarray(self.of.ties[self.rows]).view(np.uint64)

    def chosen(self, places: Rows, n: int, reasons: list[tuple[str, ...]] | None = None) -> Chosen:
        """Those places of the shortlist, then the best by value among the others until n are there."""
        missing = min(n, len(self)) - len(places)
        if missing <= 0:
            found = chosen(self.rows[places[:n]], self.policies, self.utilities, reasons and reasons[:n])
            return replace(found, notes=self.notes)
        others = np.ones(len(self), dtype=bool)
        others[places] = False
        rest = np.flatnonzero(others)
        rest = rest[np.argsort(-self.values[rest], kind="stable")][:missing]
        said = [*(reasons or [()] * len(places)), *[("filled by value",)] * missing]
        found = chosen(self.rows[np.concatenate([places, rest])], self.policies, self.utilities, said)
        note = f"{missing} of {n} picks chosen by value alone: the strategy had found all that it looks for"
        return replace(found, notes=(*self.notes, note))


def by_value(candidates: Candidates, utilities: F64, size: int) -> Short:
    """The ``size`` candidates of the largest value, best first; ``utilities`` (m, k)."""
    policies, values = _valued(candidates, utilities)
    rows = top(values, candidates.ties, size)
    return Short(candidates, utilities, policies, rows, values[rows])


def by_chance(candidates: Candidates, size: int) -> Short:
    """A fixed random ``size`` of the candidates, for strategies that go by content and want it as it is. The policy is
    the one nearest its threshold, weighted."""
    utilities = at_threshold(candidates)
    policies, values = _valued(candidates, utilities)
    rows = top(-candidates.ties, candidates.ties, size)
    note = f"by content: a random {len(rows)} of {len(candidates)} candidates were looked at"
    notes = (note,) if len(rows) < len(candidates) else ()
    return Short(candidates, utilities, policies, rows, values[rows], notes)


def at_threshold(candidates: Candidates) -> F64:
    """(m, k) ``exp(-|logit p - logit tau| / s)``."""
    return threshold_utility(candidates.probabilities.astype(np.float64), candidates.thresholds, candidates.temperature)


def size(n: int, most: int) -> int:
    """Rows for n picks: A_PICK each, at least LEAST, at most ``most``, never below n."""
    return max(n, min(max(A_PICK * n, LEAST), most))


def _valued(candidates: Candidates, utilities: F64) -> tuple[Rows, F64]:
    policies, values = best_policy(candidates, np.round(utilities, _DIGITS))
    return policies, cast(F64, np.round(values, _DIGITS))
