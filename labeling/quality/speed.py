"""Does somebody answer faster than the item can be read? Lead times beside those of everybody for items as long.

Lead times spread over orders of magnitude, and long texts take longer, so an answer's pace is its log lead time minus
the median of its length bucket, in units of that bucket's spread (1.4826 median absolute deviations, which is the
standard deviation of a normal distribution). Buckets are doublings of the text's length.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binom

from labeling.quality.intervals import ENOUGH, FEW, INSUFFICIENT, Figure, proportion
from labeling.quality.votes import F64, Ints

FAST = -3.0  # spreads below the median from which an answer counts as rushed
LEAST_SPREAD = 0.1  # in log seconds: ten per cent; below it everybody's times are one number
LEAST_BUCKET = 2 * FEW  # answers a bucket needs; smaller ones join the next shorter


@dataclass(frozen=True, slots=True)
class Speed:
    """``rushed``: the share of a person's answers that are ``FAST``. ``ratio``: the median of lead time over the
    bucket's median, with a distribution-free interval; ``low`` is 0 and ``high`` is infinite where it has no end."""

    rushed: Figure
    ratio: Figure


def paces(lead_times_s: Sequence[float], lengths: Sequence[int]) -> F64:
    """(n, 2): log lead time minus its bucket's median, and the same in spreads of the bucket. ``lead_times_s`` above 0,
    ``lengths`` in characters. Raises ValueError for a lead time that is not above 0."""
    if any(not seconds > 0 for seconds in lead_times_s):
        raise ValueError("lead_times_s: a lead time is not above 0")
    logs = np.log(np.asarray(lead_times_s, dtype=np.float64))
    told = np.empty((len(logs), 2))
    for rows in _buckets(lengths):
        middle = np.median(logs[rows])
        spread = max(1.4826 * float(np.median(np.abs(logs[rows] - middle))), LEAST_SPREAD)
        told[rows, 0] = logs[rows] - middle
        told[rows, 1] = (logs[rows] - middle) / spread
    return told


def speed(own: F64) -> Speed:
    """Of one person; ``own`` are that person's rows of ``paces``."""
    rushed = proportion(int((own[:, 1] < FAST).sum()), len(own))
    method = "median of lead time over the length bucket's median, order statistics"
    n = len(own)
    if n <= FEW:
        return Speed(rushed, Figure(None, 0.0, math.inf, n, 0, method, INSUFFICIENT))
    ratios = np.exp(np.sort(own[:, 0]))
    cut = int(binom.ppf(0.025, n, 0.5))  # the cut-th smallest and largest hold the median with 95 % or more
    low, high = float(ratios[max(cut - 1, 0)]), float(ratios[min(n - cut, n - 1)])
    return Speed(rushed, Figure(float(np.median(ratios)), low, high, n, n, method, ENOUGH))


def _buckets(lengths: Sequence[int]) -> list[Ints]:
    """Row numbers of each bucket, from short to long; one with too few rows joins the bucket before it (the first ones
    the bucket after)."""
    codes = np.floor(np.log2(np.maximum(np.asarray(lengths, dtype=np.int64), 1)))
    buckets: list[Ints] = []
    for code in np.unique(codes):
        rows = np.flatnonzero(codes == code).astype(np.int64)
        if buckets and min(len(rows), len(buckets[-1])) < LEAST_BUCKET:
            buckets[-1] = np.concatenate([buckets[-1], rows])
        else:
            buckets.append(rows)
    return buckets
