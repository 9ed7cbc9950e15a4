"""Where to draw the line, with a bound on what that costs.

Risk control: the share of violating items below a threshold grows with it, so the largest threshold whose exact
one-sided upper bound is under the target holds with the stated confidence though it was chosen on the same labels
(Bates et al. 2021, "Distribution-free, risk-controlling prediction sets"). Precision does not move one way, so there
each of a few thresholds is tested at its share of the error (Angelopoulos et al. 2021, "Learn then test", Bonferroni).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labeling.quality.intervals import lower_bound, upper_bound

F64 = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
CONFIDENCE = 0.95
GRID = 20  # thresholds that a precision floor is tested at
LOWEST, HIGHEST = 1e-6, 1 - 1e-6  # a threshold is a probability that has a logit


@dataclass(frozen=True, slots=True)
class Line:
    """``threshold`` in (0, 1): what is at or above it is flagged. ``events`` of ``n`` labels count against it (misses
    of violating ones, or allowed ones of those flagged); ``bound`` on their share, or (precision) on the others'."""

    threshold: float
    events: int
    n: int
    bound: float
    confidence: float = CONFIDENCE


def miss_rate_line(violating: F64, target: float) -> Line | None:
    """The largest threshold at which the share of violating items below it is at most ``target`` in (0, 1), with
    ``CONFIDENCE``. ``violating`` (n,): their probabilities. None where n is too small for any (``labels_needed``), or
    too many score next to nothing."""
    ranked = np.sort(violating)
    best = None
    for tau in np.unique(np.clip(ranked, 0.0, HIGHEST)):
        misses = int(np.searchsorted(ranked, tau, side="left"))
        bound = upper_bound(misses, len(ranked), CONFIDENCE)
        if bound > target:
            break
        if tau >= LOWEST:
            best = Line(float(tau), misses, len(ranked), bound)
    return best


def labels_needed(target: float) -> int:
    """Violating labels from which a miss rate of ``target`` can be bounded at all, when none is missed."""
    return math.ceil(math.log(1 - CONFIDENCE) / math.log1p(-target))


def precision_line(probabilities: F64, truth: Bools, floor: float) -> Line | None:
    """The smallest of ``GRID`` thresholds (quantiles of the probabilities) at which the share of violating items among
    those flagged is at least ``floor`` in (0, 1), with ``CONFIDENCE`` over all of them together; None where none is."""
    taus = np.unique(np.clip(np.quantile(probabilities, np.arange(GRID) / GRID, method="higher"), LOWEST, HIGHEST))
    level = 1 - (1 - CONFIDENCE) / GRID
    for tau in taus:
        flagged = probabilities >= tau
        n, right = int(flagged.sum()), int((flagged & truth).sum())
        if n and (bound := lower_bound(right, n, level)) >= floor:
            return Line(float(tau), n - right, n, bound)
    return None
