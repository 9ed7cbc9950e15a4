"""How well scores rank and mean what they say: curves, and figures along them with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labeling.quality.bootstrap import resamples
from labeling.quality.calibration import calibration_error, equal_mass_bins
from labeling.quality.intervals import (
    ENOUGH,
    FEW,
    INSUFFICIENT,
    Figure,
    clopper_pearson,
    proportion,
    upper_bound,
    wilson,
)

F64 = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Point = Mapping[str, float | int | None]  # of a drawn line
AT = 0.9  # the precision that recall is told at, and the recall that false positives are told at
POINTS = 200  # of a drawn line, at most
NAMES = ("auprc", "recall_at_precision", "fpr_at_recall", "ece", "brier")
METHODS = {
    "auprc": "average precision",
    "recall_at_precision": f"highest recall at a precision of {AT:g} or more",
    "fpr_at_recall": f"lowest false-positive rate at a recall of {AT:g} or more",
    "ece": "expected calibration error over bins of equal mass, plug-in",
    "brier": "mean squared error",
}


@dataclass(frozen=True, slots=True)
class Curve:
    """Along falling ``thresholds`` (m,), one for each distinct score: what is at or above it has this ``precision``,
    ``recall`` and false-positive rate ``fpr``, all (m,)."""

    thresholds: F64
    precision: F64
    recall: F64
    fpr: F64


def curve(scores: F64, truth: Bools) -> Curve:
    """Of n scores of which some are of violating items. Recall is NaN without any of these, ``fpr`` without others."""
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], np.cumsum(truth[order])
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)  # ties stand or fall together
    found, flagged = hits[last].astype(np.float64), last + 1.0
    positives = float(hits[-1])
    with np.errstate(invalid="ignore", divide="ignore"):
        recall, fpr = found / positives, (flagged - found) / (len(ranked) - positives)
    return Curve(ranked[last], found / flagged, recall, fpr)


def ranking_figures(scores: F64, truth: Bools, groups: Sequence[str], *, seed: int = 0) -> dict[str, Figure]:
    """``NAMES`` to figures. Insufficient with ``FEW`` items or fewer, or fewer than two of either kind (the last two:
    than one). Where no draw differs from 0 or 1 the bootstrap sees no spread, and the interval's other end is that of
    Clopper and Pearson for the independent items of the rarer kind (of the last two: of all)."""
    n, positives = len(truth), int(truth.sum())
    rarer = min(_independent(truth, groups), _independent(~truth, groups))
    if n <= FEW:
        return {name: _none(name, n, positives) for name in NAMES}
    bins = equal_mass_bins(scores)
    here = _values(scores, truth, bins)
    draws = np.array([_values(scores[r], truth[r], bins[r]) for r in resamples(n, groups, seed=seed)])
    found = {}
    for place, name in enumerate(NAMES):
        ranks = name not in ("ece", "brier")
        if min(positives, n - positives) < (2 if ranks else 1):
            found[name] = _none(name, n, positives)
            continue
        fewest = rarer if ranks else len(set(groups))
        found[name] = _figure(name, here[place], draws[:, place], n, positives, fewest)
    return found


def _independent(rows: Bools, groups: Sequence[str]) -> int:
    return len({groups[place] for place in np.flatnonzero(rows)})


def _values(scores: F64, truth: Bools, bins: npt.NDArray[np.int64]) -> F64:
    """(5,) in the order of ``NAMES``; NaN where a draw lacks one kind."""
    drawn = curve(scores, truth)
    steps = np.diff(drawn.recall, prepend=0.0)
    good, enough = drawn.precision >= AT, drawn.recall >= AT
    recall = float(drawn.recall[good].max()) if good.any() else 0.0
    if np.isnan(drawn.recall).any():
        recall = np.nan
    fpr = float(drawn.fpr[enough].min()) if enough.any() else np.nan
    weights = np.ones(len(truth))
    ece = calibration_error(scores, truth, weights, bins)
    brier = float(np.mean((scores - truth) ** 2))
    return np.array([min(1.0, float(steps @ drawn.precision)), recall, fpr, ece, brier])


def _figure(name: str, value: float, draws: F64, n: int, positives: int, fewest: int) -> Figure:
    known = draws[~np.isnan(draws)]
    method = f"{METHODS[name]}; bootstrap by near-duplicate group"
    if np.isnan(value) or not len(known):
        return _none(name, n, positives)
    low, high = (float(end) for end in np.quantile(known, [0.025, 0.975]))
    if low > 1 - 1e-9:
        low, method = clopper_pearson(fewest, fewest)[0], f"{method}; no spread, lower end by clopper-pearson"
    if high < 1e-9:
        high, method = clopper_pearson(0, fewest)[1], f"{method}; no spread, upper end by clopper-pearson"
    return Figure(float(value), low, high, n, positives, method, ENOUGH)


def _none(name: str, n: int, positives: int) -> Figure:
    return Figure(None, 0.0, 1.0, n, positives, METHODS[name], INSUFFICIENT)


def series(scores: F64, truth: Bools) -> dict[str, list[dict[str, float | int | None]]]:
    """What is drawn, as JSON: ``pr`` along the thresholds, ``reliability`` by bin (``value``: the share, with its 95 %
    interval), and ``thresholds``: the exact 95 % upper bound of the miss rate (None without violating items), the share
    that is missed, and the load, the share of all items that is flagged."""
    drawn, positives = curve(scores, truth), int(truth.sum())
    places = np.unique(np.linspace(0, len(drawn.thresholds) - 1, POINTS).astype(int))
    points, sweep = [], []
    for place in places:
        tau, recall = float(drawn.thresholds[place]), float(drawn.recall[place])
        missed = positives - round(recall * positives) if positives else 0
        told = {"threshold": tau, "precision": float(drawn.precision[place]), "recall": recall if positives else None}
        points.append(told)
        sweep.append(
            {
                "threshold": tau,
                "miss_rate": missed / positives if positives else None,
                "miss_bound": upper_bound(missed, positives) if positives else None,
                "load": float((scores >= tau).mean()),
            }
        )
    return {"pr": points, "reliability": _reliability(scores, truth), "thresholds": sweep}


def point_at(points: Sequence[Point], threshold: float) -> Point | None:
    """Of the ``thresholds`` of ``series`` the lowest at or above ``threshold``: at ``threshold`` itself no more is
    missed, and no less flagged, than there. None above them all: nothing is flagged."""
    above = [(float(tau), point) for point in points if (tau := point["threshold"]) is not None and tau >= threshold]
    return min(above, key=lambda pair: pair[0])[1] if above else None


def _reliability(scores: F64, truth: Bools) -> list[dict[str, float | int | None]]:
    bins = equal_mass_bins(scores)
    rows: list[dict[str, float | int | None]] = []
    for number in np.unique(bins):
        mine = bins == number
        n, events = int(mine.sum()), int(truth[mine].sum())
        low, high = wilson(events, n)
        rows.append({"mean": float(scores[mine].mean()), "value": events / n, "low": low, "high": high, "n": n})
    return rows


def figures_at(point: Point | None, n: int, positives: int) -> dict[str, Figure]:
    """What a point of ``thresholds`` tells of ``n`` items of which ``positives`` violate, as figures: the share of
    these that is ``missed``, the share of all that is flagged (``load``), and the share of the flagged that is
    ``right``. None: above every score, where nothing is flagged."""
    flagged = 0 if point is None else round(float(point["load"] or 0) * n)
    missed = positives if point is None else round(float(point["miss_rate"] or 0) * positives)
    return {
        "missed": proportion(missed, positives),
        "load": proportion(flagged, n),
        "right": proportion(positives - missed, flagged),
    }
