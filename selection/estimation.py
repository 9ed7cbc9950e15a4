"""From picks with known probability to a figure about the whole frame, with its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import beta, norm

from selection.errors import BadSample, NoLicence
from selection.hashing import F64

FEW = 10  # below this many answers of the rarer kind the normal interval is not to be trusted

Numbers = Sequence[float | None] | Sequence[float] | Sequence[int] | Sequence[bool] | npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A share of the population, with the interval [low, high] and the ``method`` that made it.

    ``n`` answers of which ``positives`` said yes, before weighting. ``effective_n``: the size of a simple random
    sample that would be as exact.
    """

    value: float
    variance: float
    low: float
    high: float
    n: int
    effective_n: float
    positives: int
    method: str


def hajek(y: Numbers, pi: Numbers, confidence: float = 0.95, *, strata: Sequence[int | None] | None = None) -> Estimate:
    """The share of positives in the population that picks with inclusion probabilities ``pi`` were drawn from.

    ``y`` (n,) 0 or 1; ``pi`` (n,) in (0, 1]. Hajek mean ``sum(w y) / sum(w)``, ``w = 1 / pi``, with the variance of
    Poisson sampling ``sum((1-pi) w^2 (y-mean)^2) / sum(w)^2`` and a normal interval. With fewer than 10 positives
    (or negatives): Clopper-Pearson on the effective n, which is never taken above n (Korn and Graubard 1998).

    ``strata`` (n,): the stratum of each pick of the lane ``stratified``, None for picks of other lanes. Within a
    stratum the variance is that of simple random sampling, of the weighted residuals about their mean; a pick that is
    alone in its stratum, or in none, counts as by Poisson sampling, which errs on the wide side.
    Raises NoLicence where a pi is None or NaN, BadSample on anything else out of range.
    """
    answers, chances = _answers(y), _licensed(pi)
    if len(answers) != len(chances):
        raise BadSample(f"y and pi: {len(answers)} answers for {len(chances)} probabilities")
    if strata is not None and len(strata) != len(answers):
        raise BadSample(f"y and strata: {len(answers)} answers for {len(strata)} strata")
    if not 0 < confidence < 1:
        raise BadSample(f"confidence: must be between 0 and 1, found {confidence}")
    weights = 1.0 / chances
    value = float((weights * answers).sum() / weights.sum())
    variance = _variance(weights * (answers - value), chances, strata) / float(weights.sum() ** 2)
    n, positives = len(answers), int(answers.sum())
    effective = value * (1 - value) / variance if variance > 0 else kish_n(chances)
    if (chances == 1).all():
        low, high, method = value, value, "census"
    elif min(positives, n - positives) < FEW:
        low, high = clopper_pearson(value, min(effective, float(n)), confidence)
        method = "korn-graubard"
    else:
        reach = float(norm.ppf((1 + confidence) / 2)) * math.sqrt(variance)
        low, high, method = max(0.0, value - reach), min(1.0, value + reach), "normal"
    return Estimate(value, variance, low, high, n, effective, positives, method)


def kish_n(pi: Numbers) -> float:
    """The effective size of a sample drawn with inclusion probabilities ``pi`` (n,), told before anybody has answered:
    ``sum(w)^2 / sum(w^2)``, ``w = 1 / pi`` (Kish 1965), between 1 and n, and 0 of none. Raises as ``hajek`` does for
    what is no probability."""
    weights = 1.0 / _licensed(pi)
    return float(weights.sum() ** 2 / (weights**2).sum()) if len(weights) else 0.0


def _variance(residuals: F64, chances: F64, strata: Sequence[int | None] | None) -> float:
    """Of the sum of the weighted ``residuals``."""
    own = (1 - chances) * residuals**2
    total = 0.0
    numbers = np.array([-1 if stratum is None else stratum for stratum in strata or [None] * len(own)])
    for stratum in np.unique(numbers):
        mine = numbers == stratum
        n = int(mine.sum())
        if stratum < 0 or n == 1:
            total += float(own[mine].sum())
        else:
            spread = residuals[mine] - residuals[mine].mean()
            total += float((1 - chances[mine]) @ spread**2) * n / (n - 1)
    return total


def clopper_pearson(share: float, n: float, confidence: float = 0.95) -> tuple[float, float]:
    """The exact binomial interval of ``share`` of n, where neither n nor share * n need be whole."""
    tail, hits = (1 - confidence) / 2, share * n
    low = float(beta.ppf(tail, hits, n - hits + 1)) if hits > 0 else 0.0
    high = float(beta.ppf(1 - tail, hits + 1, n - hits)) if hits < n else 1.0
    return low, high


def _answers(y: Numbers) -> F64:
    answers = np.asarray(y, dtype=np.float64)
    if answers.ndim != 1 or len(answers) == 0:
        raise BadSample("y: there is no answer to estimate from")
    odd = np.flatnonzero((answers != 0) & (answers != 1))
    if len(odd):
        raise BadSample(f"y: row {odd[0]} is {answers[odd[0]]}; answers are 0 or 1")
    return answers


def _licensed(pi: Numbers) -> F64:
    chances = np.array([math.nan if chance is None else float(chance) for chance in pi], dtype=np.float64)
    unknown = np.flatnonzero(np.isnan(chances))
    if len(unknown):
        raise NoLicence(
            f"pi: {len(unknown)} of {len(chances)} picks (first: row {unknown[0]}) were chosen on purpose; "
            "a population figure may only use picks of the lanes random, risk and stratified"
        )
    odd = np.flatnonzero((chances <= 0) | (chances > 1))
    if len(odd):
        raise BadSample(f"pi: row {odd[0]} is {chances[odd[0]]}; probabilities are above 0 and at most 1")
    return chances
