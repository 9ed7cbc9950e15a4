"""Have the scores moved? Two windows of scores, compared as counts in the reference window's own bins.

Only counts are needed, so a reference window is kept as a few numbers and never as scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2

F64 = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
BINS = 10
MIN_WINDOW = 100  # scores; with fewer in either window there is no verdict
FALSE_ALARMS = 0.01  # of windows without drift, the share in which any cell is told to have drifted (at most)
MODERATE, MAJOR = 0.1, 0.25  # of PSI: the trade's usual marks
SMOOTHING = 0.5  # added to each bin's count for PSI, which an empty bin would make infinite


@dataclass(frozen=True, slots=True)
class Drift:
    """One cell (a policy, or a policy in a language).

    ``psi`` >= 0; ``jsd`` in [0, ln 2] (natural logarithm); ``p_value`` of "both windows come from one distribution";
    ``psi_noise``: what PSI stays below in 95 % of windows of this size without drift. ``verdict``: ``none``
    (within noise, or too small to matter), ``moderate``, ``major``, or ``insufficient``, and then no figures.
    """

    n_reference: int
    n_current: int
    psi: float | None
    jsd: float | None
    psi_noise: float | None
    p_value: float | None
    verdict: str

    def as_dict(self) -> dict[str, object]:
        """The fields by name, as JSON has them."""
        return {name: getattr(self, name) for name in self.__slots__}


def bin_edges(scores: npt.NDArray[np.floating[Any]], bins: int = BINS) -> F64:
    """The inner edges, at most ``bins - 1``, at the quantiles of the reference scores (n,); rising, none for scores
    that are all the same. Raises ValueError for no score, or NaN."""
    if not len(scores) or not np.isfinite(scores).all():
        raise ValueError("scores of the reference must be finite, at least one")
    inner = np.quantile(scores.astype(np.float64), np.linspace(0, 1, bins + 1)[1:-1], method="inverted_cdf")
    edges: F64 = np.unique(inner)
    return edges


def bin_counts(scores: npt.NDArray[np.floating[Any]], edges: F64) -> Ints:
    """(len(edges) + 1,) how many scores (n,) lie in each bin; a score on an edge counts below it."""
    if not np.isfinite(scores).all():
        raise ValueError("scores must be finite")
    places = np.searchsorted(edges, scores.astype(np.float64), side="left")
    return np.bincount(places, minlength=len(edges) + 1).astype(np.int64)


def psi(reference: Ints, current: Ints) -> float:
    """Population stability index, sum (q - p) ln(q / p) over bins; ``SMOOTHING`` is added to every count first."""
    p, q = _shares(reference + SMOOTHING), _shares(current + SMOOTHING)
    return float(((q - p) * np.log(q / p)).sum())


def jsd(reference: Ints, current: Ints) -> float:
    """Jensen-Shannon divergence (Lin 1991) of the shares, natural logarithm: 0 the same, ln 2 nothing in common."""
    p, q = _shares(reference), _shares(current)
    middle = (p + q) / 2
    return float(np.clip((_relative(p, middle) + _relative(q, middle)) / 2, 0, np.log(2)))


def noise(reference: Ints, current: Ints, confidence: float = 0.95) -> float:
    """What PSI stays below without drift: (1/n + 1/m) times a quantile of chi-squared (Yurdakul and Naranjo 2020)."""
    freedom = max(1, int(((reference + current) > 0).sum()) - 1)
    size = 1 / reference.sum() + 1 / current.sum()
    return float(size * chi2.ppf(confidence, freedom))


def p_value(reference: Ints, current: Ints) -> float:
    """Pearson's chi-squared test that both windows have one distribution. Bins in which fewer than 5 scores are
    expected of the smaller window join their neighbour, so that the approximation holds."""
    table = _merged(np.stack([reference, current]).astype(np.float64))
    if table.shape[1] < 2:
        return 1.0
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    return float(chi2.sf(((table - expected) ** 2 / expected).sum(), table.shape[1] - 1))


def compare(windows: Mapping[tuple[str, ...], tuple[Ints, Ints]]) -> dict[tuple[str, ...], Drift]:
    """Every cell (key -> counts of reference and current) at once.

    A cell has drifted when its PSI is at least ``MODERATE`` and the difference is more than chance: p-values are held
    against ``FALSE_ALARMS`` by Holm (1979), so a window without drift raises any alarm at all in at most that share of
    cases, however many cells there are and however they hang together. Items are taken to be independent: a flood of
    copies is a real change of the stream, and shows as one. Raises ValueError for counts of different bins.
    """
    enough: dict[tuple[str, ...], float] = {}
    for cell, (reference, current) in windows.items():
        if reference.shape != current.shape:
            raise ValueError(f"{cell}: {len(reference)} bins in the reference, {len(current)} now")
        if min(reference.sum(), current.sum()) >= MIN_WINDOW:
            enough[cell] = p_value(reference, current)
    significant = _holm(enough)
    return {cell: _verdict(*pair, enough.get(cell), cell in significant) for cell, pair in windows.items()}


def _verdict(reference: Ints, current: Ints, chance: float | None, significant: bool) -> Drift:
    n, m = int(reference.sum()), int(current.sum())
    if chance is None:
        return Drift(n, m, None, None, None, None, "insufficient")
    moved = psi(reference, current)
    verdict = "none" if not significant or moved < MODERATE else "moderate" if moved < MAJOR else "major"
    return Drift(n, m, moved, jsd(reference, current), noise(reference, current), chance, verdict)


def _holm(p_values: Mapping[tuple[str, ...], float]) -> set[tuple[str, ...]]:
    found: set[tuple[str, ...]] = set()
    ranked: Sequence[tuple[str, ...]] = sorted(p_values, key=lambda cell: (p_values[cell], cell))
    for place, cell in enumerate(ranked):
        if p_values[cell] > FALSE_ALARMS / (len(ranked) - place):
            break
        found.add(cell)
    return found


def _merged(table: F64) -> F64:
    """(2, b) counts with thin bins joined to the one on their left (the first to its right)."""
    smaller = table.sum(axis=1).min() / table.sum()
    columns: list[F64] = []
    for column in table.T:
        if columns and min(column.sum(), columns[-1].sum()) * smaller < 5:
            columns[-1] = columns[-1] + column
        else:
            columns.append(column)
    if len(columns) > 1 and columns[-1].sum() * smaller < 5:
        last = columns.pop()
        columns[-1] = columns[-1] + last
    return np.array(columns).T


def _shares(counts: npt.NDArray[Any]) -> F64:
    shares: F64 = counts / counts.sum()
    return shares


def _relative(p: F64, q: F64) -> float:
    """Kullback-Leibler divergence in nats; bins that p never visits add nothing."""
    seen = p > 0
    return float((p[seen] * np.log(p[seen] / q[seen])).sum())
