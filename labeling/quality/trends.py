"""Which cells of the daily volume stand out today, at a stated rate of false discoveries?

A cell is a content cluster in a market; each market's total is a cell too. Days are split: the last ``WATCHED`` are
judged, those before them, ``LEAST_DAYS`` at least, are the baseline.

**Expected.** Of a cluster: the market's total that day x the cell's share of it so far x the cluster's weekday factor,
drawn to 1 as far as the baseline's days do not agree on it. A surge of a whole market thus raises none of its clusters;
it shows in the total, which is expected by its mean so far x the market's weekday factor. "So far": in the baseline and
on the watched days before, so that no day's error is another's.

**Spread.** Negative binomial, variance mu + mu^2 (alpha + b + v). alpha is the over-dispersion by moments: a cell's
own, drawn to that of its market's cells with the weight of ``ALPHA_PRIOR`` days, and never below it. b = 1 / A + alpha
/ days is what A items, and one more, in so many days do not know of the mean: the predictive of a Gamma-Poisson. The
one item is that of the exact test of two Poisson rates (Przyborowski and Wilenski 1940), not Jeffreys' half: of rare
cells rather too few stand out than too many. v is what the baseline does not know of the weekday. Poisson where all
three are nothing.

**Residual.** Each day's count becomes a randomised quantile residual (Dunn and Smyth 1996), standard normal under that
distribution also where counts are 0 and 1; chance is drawn by the day, so the same day gives the same residual. Each
is conditional on the days before it, so they are independent (Dawid 1984). **EWMA** with weight ``WEIGHT`` over the
watched days, from 0. ``p`` is one-sided: more than expected. Of a cluster it is the normal distribution's; of a total
Student's with days - 7 degrees of freedom, since its spread, unlike that of many cells together, rests on as many days.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import false_discovery_control, nbinom, norm
from scipy.stats import t as student

WATCHED, LEAST_DAYS = 7, 21
WEIGHT = 0.3
ALPHA_PRIOR = 28.0
RATE = 0.1  # of false discoveries among the cells of a day
SEASON_DAYS = 90  # over as many days in a row the rate holds for what is ``lasting``
WEEK = 7
F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Volumes:
    """Today's cells, in the order of the rows given. ``count`` (c,) and ``expected`` (c,): of the last day; ``low``,
    ``high`` (c,): where 95 % of such days lie; ``ewma`` (c,): in its own standard deviations; ``p`` (c,): one-sided."""

    count: I64
    expected: F64
    low: F64
    high: F64
    ewma: F64
    p: F64
    alpha: float


def volumes(counts: I64, markets: I64, clusters: I64, totals: I64, day: int) -> Volumes:
    """Judge the last day of ``counts`` (c, days); ``markets``, ``clusters`` (c,): each row's place in ``totals`` (m,
    days) and its cluster's number, -1 for a row that is a market's total. ``day``: the last one's ordinal, which says
    the weekday. Raises ValueError with fewer than ``LEAST_DAYS`` + ``WATCHED`` days."""
    days = counts.shape[1]
    if days < LEAST_DAYS + WATCHED:
        raise ValueError(f"{days} days are too few: {LEAST_DAYS + WATCHED} are needed")
    weekday = (day - np.arange(days)[::-1]) % WEEK
    past = days - WATCHED
    whole = clusters < 0
    exposure = np.where(whole[:, None], 1.0, totals[markets].astype(np.float64))
    items, room = counts[:, :past].sum(axis=1) + 1.0, np.maximum(exposure[:, :past].sum(axis=1), 1.0)
    flat = exposure * (items / room)[:, None]
    factors, unsure = _weekdays(counts, flat, clusters, markets, weekday, past)
    alpha, pooled = _dispersion(counts[:, :past], (flat * factors)[:, :past], markets, whole)
    seen, weighed = counts[:, past:], (exposure * factors)[:, past:]
    known = items[:, None] + _before(seen)
    mu = np.maximum(weighed * known / (room[:, None] + _before(weighed)), 1e-9)
    spread = alpha[:, None] * (1.0 + 1.0 / (past + np.arange(WATCHED))) + 1.0 / known + unsure[:, None]
    size = 1.0 / spread
    law = nbinom(size, size / (size + mu))
    above = law.sf(seen) + _draws(day, len(counts)) * law.pmf(seen)
    residual = norm.isf(np.clip(above, 1e-300, 1 - 1e-12))
    weights = WEIGHT * (1 - WEIGHT) ** np.arange(WATCHED)[::-1]
    ewma = residual @ weights / np.sqrt((weights**2).sum())
    p = np.where(whole, student.sf(ewma, past - WEEK), norm.sf(ewma))
    today = nbinom(size[:, -1], size[:, -1] / (size[:, -1] + mu[:, -1]))
    ends = today.ppf(0.025), today.ppf(0.975)
    return Volumes(counts[:, -1], mu[:, -1], *ends, ewma, p, pooled)


def discoveries_of_day(p_values: F64, rate: float = RATE) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """(stands, lasts), each (c,). ``stands``: Benjamini and Hochberg (1995) at ``rate`` over all cells of the day, so
    on a day without anything new it is empty with a chance of 1 - ``rate``. ``lasts``: the same at ``rate`` /
    ``SEASON_DAYS``: each day spends an equal part, and the expected share of false ones among all that last in any
    ``SEASON_DAYS`` days is at most ``rate``, however days depend on each other."""
    if not len(p_values):
        nothing = np.zeros(0, np.bool_)
        return nothing, nothing
    adjusted = false_discovery_control(p_values, method="bh")
    return adjusted <= rate, adjusted <= rate / SEASON_DAYS


def _draws(day: int, cells: int) -> F64:
    """(c, WATCHED) chances in (0, 1], those of each day the same whenever it is judged."""
    days = range(day - WATCHED + 1, day + 1)
    return 1.0 - np.stack([np.random.default_rng(abs(one)).random(cells) for one in days], axis=1)


def _before(values: npt.NDArray[np.generic]) -> F64:
    """(c, days) what the days before each add up to."""
    found = np.asarray(values, np.float64)
    return np.asarray(np.cumsum(found, axis=1) - found, np.float64)


def _weekdays(counts: I64, flat: F64, clusters: I64, markets: I64, weekday: I64, past: int) -> tuple[F64, F64]:
    """(c, days) factors, of a cluster over all markets, of a total by itself; and (c,) the mean variance that is left
    of them. A group's mean ratio on a weekday has the variance v of its days over their number, and never less than
    Poisson's, which the days of a rare cluster may not show; it is drawn to 1 by v / (v + tau^2), where tau^2, the
    variance of true factors, is what the ratios of all groups show beyond their v."""
    whole = clusters < 0
    group = np.where(whole, int(clusters.max()) + 1 + markets, clusters)
    seen, meant = _grouped(group, counts[:, :past]), _grouped(group, flat[:, :past])
    ratio = seen / np.maximum(meant, 1e-9)
    known, kind = meant.sum(axis=1) > 0, np.zeros(len(ratio), np.bool_)
    kind[group[whole]] = True
    days = [np.flatnonzero(weekday[:past] == which) for which in range(WEEK)]
    means = np.stack([ratio[:, part].mean(axis=1) for part in days], axis=1)
    within = sum(((ratio[:, part] - means[:, [w]]) ** 2).sum(axis=1) for w, part in enumerate(days)) / (past - WEEK)
    least = 1.0 / np.maximum(np.stack([meant[:, part].sum(axis=1) for part in days], axis=1), 1e-9)
    v = np.maximum(within[:, None] / np.array([len(part) for part in days]), least)
    factors, left = np.ones_like(means), np.zeros_like(means)
    for mine in (kind & known, ~kind & known):
        weight = 1.0 / (v[mine] + 0.01) ** 2
        tau2 = max(0.0, float((weight * ((means[mine] - 1) ** 2 - v[mine])).sum() / max(weight.sum(), 1e-9)))
        factors[mine] = 1 + tau2 / (tau2 + v[mine]) * (means[mine] - 1)
        left[mine] = tau2 * v[mine] / (tau2 + v[mine])
    return factors[group][:, weekday], left.mean(axis=1)[group]


def _grouped(group: I64, values: npt.NDArray[np.generic]) -> F64:
    """Rows added up by group."""
    total = np.zeros((int(group.max()) + 1, values.shape[1]), np.float64)
    np.add.at(total, group, values)
    return total


def _dispersion(seen: I64, mu: F64, markets: I64, whole: npt.NDArray[np.bool_]) -> tuple[F64, float]:
    """(c,) over-dispersion, and that of all clusters together. Totals are pooled with totals, clusters within their
    market, whose other clusters move their share too, and never below what all say."""
    days = seen.shape[1]
    excess = ((seen - mu) ** 2).sum(axis=1) * days / (days - 1) - mu.sum(axis=1)
    square, mean = np.maximum((mu**2).sum(axis=1), 1e-12), mu.mean(axis=1)
    alpha, pooled = np.zeros(len(seen), np.float64), 0.0
    for kind in (True, False):
        mine = np.flatnonzero(whole == kind)
        pooled = _pooled(excess[mine], square[mine], mean[mine]) if len(mine) else 0.0
        for part in [mine] if kind else [mine[markets[mine] == market] for market in np.unique(markets[mine])]:
            near = max(pooled, _pooled(excess[part], square[part], mean[part]))
            weight = ALPHA_PRIOR / days
            own = (excess[part] / square[part] + weight * near) / (1.0 + weight)
            alpha[part] = np.maximum(own, near)
    return alpha, pooled


def _pooled(excess: F64, square: F64, mean: F64) -> float:
    """The upper 95 % bound of the mean of the cells' own estimates, each cell by about 1 / its variance, (1 / mean +
    alpha)^2: a large cell, which moves with its market's total, does not speak for all."""
    alpha, own = 0.1, excess / square
    for _ in range(5):
        weight = 1.0 / (1.0 / np.maximum(mean, 1e-9) + alpha) ** 2
        weight /= weight.sum()
        alpha = max(0.0, float((weight * own).sum()))
    return alpha + 1.645 * float(np.sqrt((weight**2 * (own - alpha) ** 2).sum()))
