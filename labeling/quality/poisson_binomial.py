"""How many of independent events with chances of their own come about."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

MOST_EXACT = 4000


def central_interval(chances: npt.NDArray[np.float64], confidence: float = 0.95) -> tuple[int, int]:
    """The central interval of the number of events that come about, from their ``chances`` (n,) in [0, 1]. Exact up to
    ``MOST_EXACT`` events: their generating function is evaluated at the roots of unity (Fernandez and Williams 2010),
    which takes n^2 steps. Of more, by the normal distribution with a correction for continuity."""
    n = len(chances)
    if n > MOST_EXACT:
        middle, spread = float(chances.sum()), float(np.sqrt((chances * (1.0 - chances)).sum()))
        reach = float(norm.ppf((1.0 + confidence) / 2.0)) * spread
        return max(0, int(np.ceil(middle - reach - 0.5))), min(n, int(np.ceil(middle + reach - 0.5)))
    roots = np.exp(2j * np.pi * np.arange(n + 1) / (n + 1))
    values = np.ones(n + 1, np.complex128)
    for chance in chances:
        values *= 1.0 - chance + chance * roots
    cumulated = np.cumsum(np.fft.fft(values).real / (n + 1))
    tail = (1.0 - confidence) / 2.0
    low, high = (int(np.searchsorted(cumulated, level)) for level in (tail, 1.0 - tail))
    return min(low, n), min(high, n)
