"""How far can a probability be believed? Calibration error, Brier score and log loss, before and after a calibration.

Every figure rests on scores of maps that were fitted without the rows they are judged on; the caller sees to that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.isotonic import IsotonicRegression

from labeling.quality.bootstrap import resamples
from labeling.quality.intervals import ENOUGH, FEW, INSUFFICIENT, Figure, wilson
from selection.estimation import hajek

F64 = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
PER_BIN, MOST_BINS = 20, 15  # labels a bin should have, and how many bins there are at most
NULL_DRAWS = 400
SMALLEST = 1e-12  # a probability of 0 for what happened would cost infinitely much
NAMES = ("ece", "brier", "log_loss")
METHODS = {
    "ece": "expected calibration error over {bins} bins of equal mass, plug-in; bootstrap by near-duplicate group, "
    "centred",
    "brier": "mean squared error; bootstrap by near-duplicate group",
    "log_loss": "mean -ln p of the label; bootstrap by near-duplicate group",
}


@dataclass(frozen=True, slots=True)
class Judged:
    """n labelled scores of one policy: ``before`` and ``after`` (n,) in [0, 1], ``truth`` (n,), ``pi`` (n,) in (0, 1]
    or None: every row weighs the same. ``groups`` (n,): near-duplicates, drawn together by the bootstrap."""

    before: F64
    after: F64
    truth: Bools
    pi: F64 | None
    groups: Sequence[str]

    @property
    def weights(self) -> F64:
        return np.ones(len(self.truth)) if self.pi is None else 1 / self.pi


def judge(data: Judged, origin: Mapping[str, object], seed: int = 0) -> dict[str, object]:
    """JSON-able: ``before`` and ``after`` with ``ece``, ``brier`` (and its parts), ``log_loss`` and the reliability
    table, and ``change`` (after - before: below 0 is better). ``origin``: licence and versions, put into each figure.

    The plug-in ECE of few labels is above 0 for a perfect scorer too: ``ece_if_calibrated`` has the mean and the 95 %
    quantile of what it would then be, with labels drawn from the very probabilities (Broecker and Smith 2007).
    """
    sides = {"before": _Side.of(data.before, data), "after": _Side.of(data.after, data)}
    here = {name: side.figures(np.arange(len(data.truth))) for name, side in sides.items()}
    drawn: dict[str, list[F64]] = {name: [] for name in sides}
    for rows in resamples(len(data.truth), data.groups, seed=seed):
        for name, side in sides.items():
            drawn[name].append(side.figures(rows))
    draws = {name: np.array(values) for name, values in drawn.items()}
    told: dict[str, object] = {}
    for name, side in sides.items():
        told[name] = _told(here[name], draws[name], side, data, origin, least=0.0) | side.extras(data, seed)
    after = sides["after"]
    told["change"] = _told(
        here["after"] - here["before"], draws["after"] - draws["before"], after, data, origin, least=-np.inf
    )
    return told


def equal_mass_bins(probabilities: F64) -> Ints:
    """(n,) bin numbers from 0: about equally many rows in each, equal probabilities in one bin; one bin for every
    ``PER_BIN`` rows, ``MOST_BINS`` at most, two at least."""
    count = int(np.clip(len(probabilities) // PER_BIN, 2, MOST_BINS))
    edges = np.unique(np.quantile(probabilities, np.linspace(0, 1, count + 1)[1:-1]))
    found: Ints = np.unique(np.searchsorted(edges, probabilities, side="right"), return_inverse=True)[1]
    return found.astype(np.int64)


def calibration_error(probabilities: F64, truth: npt.NDArray[np.generic], weights: F64, bins: Ints) -> float:
    """Sum over bins of (share of the weight) x |mean probability - share that violates| (Naeini et al. 2015)."""
    gaps = np.bincount(bins, weights * (probabilities - truth.astype(np.float64)))
    return float(np.abs(gaps).sum() / weights.sum())


def brier_parts(probabilities: F64, truth: Bools, weights: F64) -> dict[str, float]:
    """Brier = miscalibration - discrimination + uncertainty, exactly, without bins (CORP: Dimitriadis, Gneiting and
    Jordan 2021): against the isotonic fit of the labels, and against their mean."""
    labels = truth.astype(np.float64)
    best = IsotonicRegression().fit_transform(probabilities, labels, sample_weight=weights)

    def score(p: F64 | float) -> float:
        return float(weights @ (p - labels) ** 2 / weights.sum())

    flat = score(float(weights @ labels / weights.sum()))
    return {
        "miscalibration": score(probabilities) - score(best),
        "discrimination": flat - score(best),
        "uncertainty": flat,
    }


@dataclass(frozen=True, slots=True)
class _Side:
    """One side of before and after: per row what the figures are sums of."""

    probabilities: F64
    truth: F64
    weights: F64
    bins: Ints

    @classmethod
    def of(cls, probabilities: F64, data: Judged) -> _Side:
        return cls(probabilities, data.truth.astype(np.float64), data.weights, equal_mass_bins(probabilities))

    def figures(self, rows: Ints) -> F64:
        """(3,) in the order of ``NAMES``; bins stay those of all rows."""
        p, y, w = self.probabilities[rows], self.truth[rows], self.weights[rows]
        given = np.clip(np.where(y == 1, p, 1 - p), SMALLEST, 1)
        total = w.sum()
        return np.array(
            [calibration_error(p, y, w, self.bins[rows]), w @ (p - y) ** 2 / total, -(w @ np.log(given)) / total]
        )

    def extras(self, data: Judged, seed: int) -> dict[str, object]:
        return {
            "brier_parts": brier_parts(self.probabilities, data.truth, self.weights),
            "ece_if_calibrated": self._noise(data.groups, seed),
            "reliability": _reliability(self, data),
        }

    def _noise(self, groups: Sequence[str], seed: int) -> dict[str, float]:
        """Near-duplicates share one draw, as they would share one label."""
        place = np.unique(list(groups), return_inverse=True)[1]
        generator = np.random.default_rng(seed)
        found = [
            calibration_error(self.probabilities, u[place] < self.probabilities, self.weights, self.bins)
            for u in generator.random((NULL_DRAWS, int(place.max()) + 1))
        ]
        return {"mean": float(np.mean(found)), "high": float(np.quantile(found, 0.95))}


def _told(
    here: F64, draws: F64, side: _Side, data: Judged, origin: Mapping[str, object], *, least: float
) -> dict[str, object]:
    n, positives = len(data.truth), int(data.truth.sum())
    enough = n > FEW
    told: dict[str, object] = {}
    for place, name in enumerate(NAMES):
        low, high = np.quantile(draws[:, place], [0.025, 0.975])
        if name == "ece":  # its draws lie above it: noise on noise adds to an absolute value
            low, high = np.array([low, high]) - draws[:, place].mean() + here[place]
        figure = Figure(
            value=float(here[place]) if enough else None,
            low=max(least, float(low)),
            high=float(high),
            n=n,
            events=positives,
            method=METHODS[name].format(bins=int(side.bins.max()) + 1),
            verdict=ENOUGH if enough else INSUFFICIENT,
        )
        told[name] = figure.as_dict() | dict(origin)
    return told


def _reliability(side: _Side, data: Judged) -> list[dict[str, object]]:
    """One row a bin, from low to high: what was said, what was so (``value``), and its 95 % interval."""
    rows: list[dict[str, object]] = []
    for number in range(int(side.bins.max()) + 1):
        inside = np.flatnonzero(side.bins == number)
        p, weights = side.probabilities[inside], side.weights[inside]
        share = min(1.0, float(weights @ side.truth[inside] / weights.sum()))  # the sum may round to above 1
        low, high = _interval(data, inside)
        rows.append(
            {
                "from": float(p.min()),
                "to": float(p.max()),
                "n": len(inside),
                "positives": int(side.truth[inside].sum()),
                "mass": float(weights.sum() / side.weights.sum()),
                "said": float(weights @ p / weights.sum()),
                "value": share,
                "low": low,
                "high": high,
            }
        )
    return rows


def _interval(data: Judged, inside: Ints) -> tuple[float, float]:
    truth = data.truth[inside]
    if data.pi is None:
        return wilson(int(truth.sum()), len(truth))
    estimate = hajek(truth, data.pi[inside])
    return estimate.low, estimate.high
