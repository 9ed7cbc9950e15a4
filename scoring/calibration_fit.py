"""Fit a calibration map on labelled scores, and choose its kind by cross-validated log loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression
from sklearn.model_selection import StratifiedKFold

from scoring.calibration import (
    HIGHEST,
    ISOTONIC,
    LOWEST,
    METHODS,
    NONE,
    PLATT,
    TEMPERATURE,
    CalibrationMap,
    logits,
)

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
AUTO = "auto"
MIN_LABELS, MIN_PER_CLASS = 20, 5  # fewer independent labels, or fewer of a kind: the policy is left alone
ISOTONIC_LABELS, ISOTONIC_PER_CLASS = 200, 30  # steps need more labels than lines
FOLDS = 5
MAX_SLOPE = 50.0
SLOPE_SPREAD, OFFSET_SPREAD = 1.0, 5.0  # of the weak prior around "leave it", in ln(slope) and in logits


@dataclass(frozen=True, slots=True)
class Labelled:
    """n scores of one policy with their labels: ``probabilities`` in [0, 1], ``labels`` 0 or 1, ``weights`` above 0
    (1 / pi, or all ones), ``groups`` of near-duplicates, which count as one. Raises ValueError for anything else."""

    probabilities: F64
    labels: Ints
    weights: F64
    groups: Ints

    @classmethod
    def of(
        cls,
        probabilities: npt.NDArray[np.floating[Any]],
        labels: npt.NDArray[Any],
        weights: npt.NDArray[np.floating[Any]] | None = None,
        groups: Sequence[str] | None = None,
    ) -> Labelled:
        """Check and convert; no weights: all ones, no groups: every row by itself."""
        n = len(probabilities)
        w = np.ones(n) if weights is None else np.asarray(weights, np.float64)
        keys = np.arange(n) if groups is None else np.unique(list(groups), return_inverse=True)[1]
        if not (probabilities.shape == labels.shape == w.shape == keys.shape == (n,)):
            raise ValueError("probabilities, labels, weights and groups must be as many")
        if not ((probabilities >= 0) & (probabilities <= 1)).all():
            raise ValueError("probabilities must lie in [0, 1], and NaN does not")
        if not np.isin(labels, (0, 1)).all():
            raise ValueError("labels must be 0 or 1")
        if not (np.isfinite(w) & (w > 0)).all():
            raise ValueError("weights must be finite and above 0")
        return cls(probabilities.astype(np.float64), labels.astype(np.int64), w, keys.astype(np.int64))

    @property
    def effective_n(self) -> float:
        """The size of an unweighted sample that says as much: (sum w)^2 / sum w^2 (Kish 1965)."""
        return float(self.weights.sum() ** 2 / (self.weights**2).sum()) if len(self.weights) else 0.0

    @property
    def independent(self) -> tuple[int, int]:
        """Groups with a violating label, and groups with an allowed one."""
        return tuple(len(np.unique(self.groups[self.labels == kind])) for kind in (1, 0))  # type: ignore[return-value]

    def rows(self, chosen: npt.NDArray[Any]) -> Labelled:
        """Some of the rows, by number or mask."""
        return Labelled(self.probabilities[chosen], self.labels[chosen], self.weights[chosen], self.groups[chosen])

    def order(self) -> Ints:
        """Rows by content, so that folds and sums do not depend on the order in which they came."""
        found: Ints = np.lexsort((self.weights, self.labels, self.probabilities, self.groups))
        return found


def lacks(data: Labelled, method: str = AUTO) -> str:
    """Why ``data`` is too little for ``method`` ("" when it is not)."""
    least, each = (ISOTONIC_LABELS, ISOTONIC_PER_CLASS) if method == ISOTONIC else (MIN_LABELS, MIN_PER_CLASS)
    yes, no = data.independent
    total = len(np.unique(data.groups))
    if total >= least and min(yes, no) >= each:
        return ""
    return (
        f"{yes} violating and {no} allowed labels that are no near-duplicates of each other; "
        f"{least} in all and {each} of each are needed"
    )


def fit_map(data: Labelled, method: str = AUTO, seed: int = 0) -> CalibrationMap:
    """The map of one of ``METHODS``, or of the kind that suits best (``auto``).

    ``auto`` takes, by grouped and stratified cross-validation, the stiffest kind whose log loss is within one standard
    error of the best (Breiman et al. 1984); isotonic takes part from ``ISOTONIC_LABELS`` on. The same rows give the
    same map under one seed, in whatever order they come. Raises ValueError for an unknown method, or where ``lacks``
    has something to say.
    """
    return _fit(data.rows(data.order()), _candidates(data, method), seed)


def cross_fitted(data: Labelled, method: str = AUTO, seed: int = 0) -> F32:
    """(n,) what each row's score becomes under a map fitted, and chosen, without its fold: honest "after" scores.

    Near-duplicates share a fold. Raises ValueError as ``fit_map`` does."""
    kinds, order = _candidates(data, method), data.order()
    ordered = data.rows(order)
    found = np.empty(len(order), np.float32)
    for learn, judge in _folds(ordered, seed):
        found[order[judge]] = _fit(ordered.rows(learn), kinds, seed).apply(ordered.probabilities[judge])
    return found


def _candidates(data: Labelled, method: str) -> tuple[str, ...]:
    if method not in (AUTO, *METHODS):
        raise ValueError(f"method must be {AUTO} or one of {', '.join(METHODS)}, not {method!r}")
    if missing := lacks(data, method):
        raise ValueError(missing)
    if method != AUTO:
        return (method,)
    return METHODS if not lacks(data, ISOTONIC) else tuple(kind for kind in METHODS if kind != ISOTONIC)


def _folds(data: Labelled, seed: int) -> list[tuple[Ints, Ints]]:
    """(learn, judge) rows; a group is in one fold, and groups with a violating label are spread over all."""
    groups, place = np.unique(data.groups, return_inverse=True)
    violating = np.zeros(len(groups), np.int64)
    np.maximum.at(violating, place, data.labels)
    count = min(FOLDS, *(size for size in np.bincount(violating) if size))
    if count < 2:  # a kind in a single group: nothing can be held out, and the stiffest kind wins or ties
        return [(np.arange(len(place)), np.arange(len(place)))]
    splits = StratifiedKFold(count, shuffle=True, random_state=seed).split(groups, violating)
    return [(np.flatnonzero(np.isin(place, learn)), np.flatnonzero(np.isin(place, judge))) for learn, judge in splits]


def _fit(data: Labelled, kinds: tuple[str, ...], seed: int) -> CalibrationMap:
    kind = kinds[0] if len(kinds) == 1 else _best(data, kinds, seed)
    return _FITTERS[kind](data)


def _best(data: Labelled, kinds: tuple[str, ...], seed: int) -> str:
    losses = np.empty((len(kinds), len(data.labels)))
    for learn, judge in _folds(data, seed):
        part, held_out = data.rows(learn), data.rows(judge)
        for row, kind in enumerate(kinds):
            losses[row, judge] = log_losses(_FITTERS[kind](part).apply(held_out.probabilities), held_out.labels)
    means = losses @ data.weights / data.weights.sum()
    best = int(np.argmin(means))
    for row, kind in enumerate(kinds):
        excess = losses[row] - losses[best]
        if means[row] - means[best] <= _standard_error(excess, data.weights):
            return kind
    return kinds[best]


def _standard_error(values: F64, weights: F64) -> float:
    mean = values @ weights / weights.sum()
    return float(np.sqrt((weights**2 * (values - mean) ** 2).sum()) / weights.sum())


def log_losses(probabilities: npt.NDArray[np.floating[Any]], labels: Ints) -> F64:
    """(n,) -ln of the probability given to what was so; finite, since 0 and 1 count as almost that."""
    p = np.clip(probabilities.astype(np.float64), LOWEST, HIGHEST)
    losses: F64 = -np.log(np.where(labels == 1, p, 1 - p))
    return losses


def _temperature(data: Labelled) -> CalibrationMap:
    return CalibrationMap(TEMPERATURE, slope=_line(data, free_offset=False)[0])


def _platt(data: Labelled) -> CalibrationMap:
    slope, offset = _line(data, free_offset=True)
    return CalibrationMap(PLATT, slope=slope, offset=offset)


def _line(data: Labelled, *, free_offset: bool) -> tuple[float, float]:
    """(slope, offset) by maximum a posteriori on the logits.

    Weights are scaled to the effective n; a weak prior around (1, 0) keeps the line finite where the scores separate
    the labels fully. Platt's (1999) smoothed targets would do so too, but they add a label's worth of the rarer kind,
    which is far more than it weighs where it is rare in the traffic and 1 / pi says so.
    """
    z = logits(data.probabilities)
    weights = data.weights * (data.effective_n / data.weights.sum())

    def loss(line: F64) -> tuple[float, F64]:
        slope, offset = float(np.exp(line[0])), float(line[1])
        decision = slope * z + offset
        wrong = weights * (expit(decision) - data.labels)
        prior = (line[0] / SLOPE_SPREAD) ** 2 / 2 + (offset / OFFSET_SPREAD) ** 2 / 2
        value = float(weights @ (np.logaddexp(0, decision) - data.labels * decision)) + prior
        gradient = [slope * (wrong @ z) + line[0] / SLOPE_SPREAD**2, wrong.sum() + offset / OFFSET_SPREAD**2]
        return value, np.array([gradient[0], gradient[1] if free_offset else 0.0])

    steepest = float(np.log(MAX_SLOPE))
    found = minimize(loss, np.zeros(2), jac=True, method="L-BFGS-B", bounds=[(-steepest, steepest), (None, None)])
    return float(np.exp(found.x[0])), float(found.x[1]) if free_offset else 0.0


def _isotonic(data: Labelled) -> CalibrationMap:
    """Pool adjacent violators. The lowest and highest step keep off 0 and 1 by one more label that is as the sample
    is on the whole: a share never seen among n is not a share of nought."""
    rate = float(data.weights @ data.labels / data.weights.sum())
    room = 1 / (data.effective_n + 1)
    model = IsotonicRegression(y_min=rate * room, y_max=1 - (1 - rate) * room, out_of_bounds="clip")
    model.fit(logits(data.probabilities), data.labels, sample_weight=data.weights)
    knots = np.column_stack([model.X_thresholds_, model.y_thresholds_]).astype(np.float64)
    return CalibrationMap(ISOTONIC, knots=knots)


_FITTERS: dict[str, Callable[[Labelled], CalibrationMap]] = {
    NONE: lambda _data: CalibrationMap(),
    TEMPERATURE: _temperature,
    PLATT: _platt,
    ISOTONIC: _isotonic,
}
