"""The default: dense representatives of what lies near a boundary, first of everything, and always of the rare.

Two signals: the deployed boundary (tau) of the policy that is nearest to its own serves macro-F1; a rare policy's own
boundary, half-way between tau and where its head says 0.5, serves finding it. Either alone loses on the other. Facility
location spreads both, since outliers are noise here. Until ``TYPICAL_UNTIL`` labels are there, half goes to what is
typical of the pool. Measured on real moderation sets, see docs/selection.md.
"""

from __future__ import annotations

import numpy as np

from selection.hashing import F64
from selection.strategies.base import Candidates, Chosen, Rows, top
from selection.strategies.facility import facility_location
from selection.types import F16, F32
from selection.uncertainty import logit

A_PICK = (5, 20)  # candidates a pick that facility location chooses from, at least and at most
NEAR = 25  # one candidate in so many is near a boundary: more of a small pool are hardly nearer than chance
RARE = 0.12  # share at or above its threshold up to which a policy is rare; above, the signal gained nothing
DEPLOYED = 0.5  # share of the picks near a deployed boundary that goes to all policies alike
TYPICAL = 0.5  # share of the picks for what is typical, while labels are few
TYPICAL_UNTIL = 200  # labels
TYPICAL_OF = 4_000  # candidates, by chance, that stand for the pool


def auto(candidates: Candidates, n: int, seed: int) -> Chosen:
    """Dense representatives of two signals: the deployed boundary nearest to an item, and each rare policy's own; and,
    until 200 labels are there, of what is typical of the pool."""
    batch = _Batch(candidates, min(n, len(candidates)), seed)
    known = 0 if candidates.labelled is None else len(candidates.labelled.answers)
    if known < TYPICAL_UNTIL:
        batch.typical(round(TYPICAL * batch.missing))
    rare = batch.missing - round(DEPLOYED * batch.missing)
    batch.boundary(batch.missing - rare)
    for policy, wanted in _shares(candidates, rare):
        batch.of_policy(policy, wanted)
    batch.boundary(batch.missing)
    return batch.chosen()


class _Batch:
    """Picks so far, and ``missing`` ones."""

    def __init__(self, candidates: Candidates, n: int, seed: int) -> None:
        self.missing = n
        self._all, self._seed = candidates, seed
        self._logits = logit(candidates.probabilities.astype(np.float64))
        self._taus = logit(candidates.thresholds)
        self._away = np.where(candidates.open, np.abs(self._logits - self._taus), np.inf)
        self._nearest = self._away.argmin(axis=1)
        self._left = np.ones(len(candidates), dtype=bool)
        self._parts: list[tuple[Rows, Rows, str]] = []

    def typical(self, wanted: int) -> None:
        """Of a chance sample of the pool, what stands for most that no label stands for yet."""
        labelled = self._all.labelled
        rows = top(-self._all.ties, self._all.ties, TYPICAL_OF)
        self._represent(rows, wanted, self._nearest, "typical", None if labelled is None else labelled.embeddings)

    def boundary(self, wanted: int) -> None:
        """Near the deployed boundary of the policy that is nearest to its own."""
        self._near(self._away.min(axis=1), wanted, self._nearest, "boundary")

    def of_policy(self, policy: int, wanted: int) -> None:
        """Near the boundary of a rare policy itself."""
        own = np.abs(self._logits[:, policy] - self._taus[policy] / 2)
        columns = np.full(len(self._left), policy)
        self._near(np.where(self._all.open[:, policy], own, np.inf), wanted, columns, "rare policy")

    def chosen(self) -> Chosen:
        rows = np.concatenate([part[0] for part in self._parts])
        policies = np.concatenate([part[1] for part in self._parts])
        reasons = tuple((why,) for rows_, _policies, why in self._parts for _row in rows_)
        return Chosen(rows, policies, np.exp(-self._away[rows, policies] / self._all.temperature), reasons)

    def _near(self, distances: F64, wanted: int, policies: Rows, why: str) -> None:
        rows = np.flatnonzero(self._left & np.isfinite(distances))
        size = min(A_PICK[1] * wanted, max(A_PICK[0] * wanted, _everyone(self._all) // NEAR))
        nearest = top(-np.round(distances[rows], 9), self._all.ties[rows], size)
        self._represent(rows[nearest], wanted, policies, why, None)

    def _represent(self, rows: Rows, wanted: int, policies: Rows, why: str, already: F16 | F32 | None) -> None:
        if wanted <= 0 or len(rows) == 0:
            return
        vectors = self._all.vectors(rows).astype(np.float32)
        known = None if already is None else already.astype(np.float32)
        found = rows[facility_location(vectors, wanted, already=known, seed=self._seed)]
        self._left[found] = False
        self.missing -= len(found)
        self._parts.append((found, policies[found], why))


def _shares(candidates: Candidates, n: int) -> list[tuple[int, int]]:
    """(policy column, picks) of the rare policies, the rarest first, by the inverse root of how rare each is: the share
    of candidates at or above its threshold. Where none is rare, the rarest."""
    everyone = _everyone(candidates)
    above = np.count_nonzero(candidates.probabilities >= candidates.thresholds, axis=0)
    if candidates.others is not None:
        above = above + candidates.others.above
    shares = above / max(everyone, 1)
    order = np.argsort(shares, kind="stable")
    rare = [int(policy) for policy in order if shares[policy] <= RARE] or [int(order[0])]
    weights = 1 / np.sqrt(np.maximum(shares[rare], 1 / max(everyone, 1)))
    ends = np.rint(np.cumsum(weights) / weights.sum() * n).astype(int)
    return list(zip(rare, np.diff(ends, prepend=0).tolist(), strict=True))


def _everyone(candidates: Candidates) -> int:
    """All items of the pool, with those that the shortlist of a large one leaves out."""
    return len(candidates) + (0 if candidates.others is None else candidates.others.count)
