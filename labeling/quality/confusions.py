"""How often is somebody right, under each policy and in each language, when they have said little in most of them?

Partial pooling in four steps: crowd -> person -> person under a policy -> the same in a language. For a true class k,
the answers of a cell are drawn from its own row, and its row from a Dirichlet distribution around the row one step up.
How far cells lie from the one above (the strength, in answers) is estimated for each step and class by the marginal
posterior of all cells (empirical Bayes, the Dirichlet-multinomial; Gelman et al., Bayesian Data Analysis, ch. 5). A
cell without answers has its parent's row; one with many, its own. The parent's row is taken without the cell's own
answers, or these would count once for every step. The answer of a row is then Dirichlet, each share of
it Beta, and the interval is that distribution's.

The counts are expected ones (``labeling.quality.pooled``): which class is true is known for gold only, and otherwise as
likely as the consensus says. That uncertainty is in the counts, not in the intervals.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import gammaln
from scipy.stats import beta

from labeling.quality.intervals import ENOUGH, FEW, INSUFFICIENT, Figure
from labeling.quality.votes import F64

Cell = tuple[str, str, str]  # person, policy, language
ALL = ""  # stands for every policy, or every language
STRENGTHS = np.geomspace(1.0, 1000.0, 25)
SMALLEST = 1e-3  # of a share that no cell has: a Dirichlet needs more than 0
METHOD = "posterior under a Dirichlet prior from the step above (person, policy, language), equal tails"


@dataclass(frozen=True, slots=True)
class Rows:
    """One cell: ``counts`` (q, q) expected answers l to items of class k, ``alpha`` (q, q) the posterior Dirichlet of
    each row. ``n``: answers."""

    counts: F64
    alpha: F64
    n: int

    def share(self, k: int, label: int) -> Figure:
        """P(answer ``label`` | class ``k``); n = the expected number of items of that class, rounded."""
        n, events = round(float(self.counts[k].sum())), round(float(self.counts[k, label]))
        own, rest = float(self.alpha[k, label]), float(self.alpha[k].sum() - self.alpha[k, label])
        return _figure(own, rest, n, min(events, n))

    def right(self) -> Figure:
        """P(the answer is right), over the classes as this cell met them: the Beta distribution with the mean and the
        variance of that sum of independent shares."""
        met = self.counts.sum(axis=1)
        weights = (met + SMALLEST) / (met + SMALLEST).sum()
        total = self.alpha.sum(axis=1)
        shares = np.diagonal(self.alpha) / total
        mean = float(weights @ shares)
        variance = float(weights**2 @ (shares * (1 - shares) / (total + 1)))
        size = max(mean * (1 - mean) / max(variance, 1e-12) - 1, 1e-3)
        return _figure(mean * size, (1 - mean) * size, self.n, min(round(float(np.trace(self.counts))), self.n))


def shrunk(counts: Mapping[Cell, F64], answers: Mapping[Cell, int]) -> dict[Cell, Rows]:
    """The posterior of every cell in ``counts`` (q, q each) and of those above it: (person, policy, ``ALL``) and
    (person, ``ALL``, ``ALL``). ``answers``: how many there are in each."""
    if not counts:
        return {}
    people, policies = _above(counts, 1), _above(counts, 2)
    sizes = {cell: round(float(n)) for level in (1, 2) for cell, n in _above(answers, level).items()} | dict(answers)
    crowd = np.sum(list(people.values()), axis=0)
    prior = 0.5 + np.eye(len(crowd))  # a crowd that never met a class is right more often than not
    first = _step(people, {cell: _mean(crowd - own + prior) for cell, own in people.items()})
    second = _step(policies, {cell: _mean(first[_up(cell)] - own) for cell, own in policies.items()})
    third = _step(counts, {cell: _mean(second[_up(cell)] - own) for cell, own in counts.items()})
    return {
        cell: Rows(sums[cell], alphas[cell], sizes[cell])
        for alphas, sums in ((first, people), (second, policies), (third, counts))
        for cell in alphas
    }


def strength(counts: F64, means: F64) -> float:
    """The likeliest Dirichlet strength among ``STRENGTHS`` of (m, q) ``counts`` around (m, q) ``means``, under the
    prior s^(-5/2) of Gelman et al. (5.3; here by log s): where cells say little about how alike they are, they are
    held to be different, and their intervals stay wide."""
    around = np.maximum(means, SMALLEST)
    n = counts.sum(axis=1)
    best = [
        float((gammaln(s) - gammaln(n + s)).sum() + (gammaln(counts + s * around) - gammaln(s * around)).sum())
        - 1.5 * float(np.log(s))
        for s in STRENGTHS
    ]
    return float(STRENGTHS[int(np.argmax(best))])


def _up(cell: Cell) -> Cell:
    """The cell above."""
    return (cell[0], cell[1], ALL) if cell[2] else (cell[0], ALL, ALL)


def _step(counts: Mapping[Cell, F64], means: Mapping[Cell, F64]) -> dict[Cell, F64]:
    """The posterior Dirichlets of cells around the means of those above."""
    cells = sorted(counts)
    told, around = np.stack([counts[c] for c in cells]), np.stack([means[c] for c in cells])
    strengths = [strength(told[:, k], around[:, k]) for k in range(told.shape[1])]
    alphas = told + np.array(strengths)[None, :, None] * np.maximum(around, SMALLEST)
    return dict(zip(cells, alphas, strict=True))


def _mean(alpha: F64) -> F64:
    return np.asarray(alpha / alpha.sum(axis=1, keepdims=True), dtype=np.float64)


def _above(cells: Mapping[Cell, Any], level: int) -> dict[Cell, Any]:
    """Sums over the cells that share the first ``level`` names."""
    sums: dict[Cell, Any] = {}
    for cell in sorted(cells):
        person, policy, _ = cell
        key = (person, policy if level > 1 else ALL, ALL)
        sums[key] = sums[key] + cells[cell] if key in sums else cells[cell]
    return sums


def _figure(own: float, rest: float, n: int, events: int) -> Figure:
    low, high = float(beta.ppf(0.025, own, rest)), float(beta.ppf(0.975, own, rest))
    if n <= FEW:
        return Figure(None, low, high, n, events, METHOD, INSUFFICIENT)
    return Figure(own / (own + rest), low, high, n, events, METHOD, ENOUGH)
