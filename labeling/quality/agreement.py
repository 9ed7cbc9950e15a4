"""Do people agree, beyond what chance would give?

Every function takes ``counts`` (n units, q categories): how many people put a unit into a category; people may be
missing. ``times`` (n,): how many units each row stands for (default: one). Observed agreement Po is the mean, over
units with two answers or more, of the share of agreeing pairs. Krippendorff's alpha (Content Analysis, 2004, ch. 11);
Gwet's AC1 (2008) and AC2 (Handbook of Inter-Rater Reliability, 2014, ch. 5); Fleiss' kappa (1971); Cohen's kappa
(1960). NaN where a measure is undefined, such as no unit with two answers, or a single category.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from labeling.quality.bootstrap import DRAWS, counted, middle
from labeling.quality.intervals import ENOUGH, FEW, INSUFFICIENT, Figure
from labeling.records import Answer, Outcome

Votes = tuple[tuple[str, int], ...]  # an answer, and how many people gave it
F64 = npt.NDArray[np.float64]
METRICS = ("nominal", "ordinal", "interval")
WEIGHTS = ("identity", "linear", "quadratic", "ordinal")
RARE = 0.10  # share of the smaller classes together under which kappa and alpha mislead


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of a set of units, each figure with its interval; ``warnings`` say what misleads."""

    observed: Figure
    alpha: Figure
    ac1: Figure
    warnings: tuple[str, ...]

    def as_dict(self) -> dict[str, object]:
        """JSON-able."""
        figures = {name: getattr(self, name).as_dict() for name in ("observed", "alpha", "ac1")}
        return {**figures, "warnings": list(self.warnings)}


@dataclass(frozen=True, slots=True)
class OrderedAgreement:
    """Agreement on answers that have an order, such as severities: what is close counts as half agreed."""

    alpha_ordinal: Figure
    alpha_interval: Figure
    ac2: Figure

    def as_dict(self) -> dict[str, object]:
        """JSON-able."""
        return {name: getattr(self, name).as_dict() for name in self.__slots__}


def by_outcome(answer: Answer) -> str:
    """What counts as the same answer when rules do not matter."""
    return str(answer.outcome)


def by_rule(answer: Answer) -> str:
    """What counts as the same answer by Goldfold's own measure: outcome and rule."""
    return f"{answer.outcome}/{answer.rule}" if answer.outcome is Outcome.VIOLATES else str(answer.outcome)


def tally(units: Sequence[Sequence[Hashable | None]], categories: Sequence[Any] | None = None) -> tuple[F64, list[Any]]:
    """Counts (n, q) of the answers in each unit (None: no answer), and the categories in order."""
    seen = {answer for unit in units for answer in unit if answer is not None}
    names = list(categories) if categories is not None else sorted(seen, key=lambda c: (str(type(c)), c))
    place = {name: j for j, name in enumerate(names)}
    counts = np.zeros((len(units), len(names)))
    for i, unit in enumerate(units):
        for answer in unit:
            if answer is not None:
                counts[i, place[answer]] += 1
    return counts, names


def summary(
    units: Sequence[Sequence[Hashable | None]], groups: Sequence[str] | None = None, *, seed: int = 0
) -> Agreement:
    """Po, alpha (nominal) and AC1 with bootstrap intervals by near-duplicate ``groups``, n = units with two answers."""
    return _summary(_Sample.of(*_paired(tally(units)[0], groups), seed))


def summary_of_votes(votes: Mapping[Votes, int], *, seed: int = 0) -> Agreement:
    """As ``summary``, of how many units got which votes; the bootstrap draws units one by one."""
    paired = {pattern: times for pattern, times in sorted(votes.items()) if sum(n for _, n in pattern) >= 2}
    counts, _ = tally([[answer for answer, n in pattern for _ in range(n)] for pattern in paired])
    times = np.array(list(paired.values()), dtype=np.float64)
    n = int(times.sum())
    if n == 0:
        return _summary(_Sample(counts, times, np.zeros((0, 0))))
    draws = np.random.default_rng(seed).multinomial(n, times / n, DRAWS)
    return _summary(_Sample(counts, times, draws.astype(np.float64)))


def ordered_summary(
    units: Sequence[Sequence[int | None]], levels: Sequence[int], groups: Sequence[str] | None = None, *, seed: int = 0
) -> OrderedAgreement:
    """Alpha (ordinal, interval) and AC2 (quadratic weights) of answers that are one of the rising ``levels``, as
    ``summary`` has its figures."""
    sample = _Sample.of(*_paired(tally(units, levels)[0], groups), seed)
    by_distance = partial(krippendorff, metric="interval", values=levels)
    return OrderedAgreement(
        alpha_ordinal=sample.figure(partial(krippendorff, metric="ordinal"), "krippendorff, ordinal"),
        alpha_interval=sample.figure(by_distance, "krippendorff, interval"),
        ac2=sample.figure(partial(gwet_ac2, weights="quadratic"), "gwet_ac2, quadratic weights"),
    )


@dataclass(frozen=True, slots=True)
class _Sample:
    """Units by who said what: ``patterns`` (k, q) counts of answers as they occur, how many units have each, ``times``
    (k,), and how many in each draw of the bootstrap, ``draws`` (draws, k)."""

    patterns: F64
    times: F64
    draws: F64

    @classmethod
    def of(cls, counts: F64, groups: Sequence[str] | None, seed: int) -> _Sample:
        if not len(counts):
            return cls(counts, np.zeros(0), np.zeros((0, 0)))
        patterns, kinds = np.unique(counts, axis=0, return_inverse=True)
        times = np.bincount(kinds).astype(np.float64)
        return cls(patterns, times, counted(kinds, groups, seed=seed))

    def figure(self, measure: Callable[..., float], method: str) -> Figure:
        """A measure of ``counts`` and ``times``, with its interval."""
        n = int(self.times.sum())
        value = measure(self.patterns, times=self.times) if n else math.nan
        if math.isnan(value):
            return Figure(None, -1.0, 1.0, n, 0, method, INSUFFICIENT)
        low, high = middle([measure(self.patterns, times=times) for times in self.draws])
        agreeing = int(self.times[self.patterns.max(axis=1) == self.patterns.sum(axis=1)].sum())
        enough = n > FEW and not math.isnan(low)
        return Figure(value if enough else None, low, high, n, agreeing, method, ENOUGH if enough else INSUFFICIENT)


def _summary(sample: _Sample) -> Agreement:
    return Agreement(
        observed=sample.figure(observed, "observed"),
        alpha=sample.figure(krippendorff, "krippendorff"),
        ac1=sample.figure(gwet_ac1, "gwet_ac1"),
        warnings=_warnings(sample.times @ sample.patterns),
    )


def observed(counts: F64, times: F64 | None = None) -> float:
    """Po."""
    people = counts.sum(axis=1)
    paired, each = people >= 2, _times(counts, times)
    if not each[paired].any():
        return math.nan
    agreeing = (counts * (counts - 1)).sum(axis=1)[paired]
    return float(np.average(agreeing / (people * (people - 1))[paired], weights=each[paired]))


def krippendorff(
    counts: F64, metric: str = "nominal", values: Sequence[float] | None = None, times: F64 | None = None
) -> float:
    """Alpha. ``values`` (q,) rising: the categories as numbers, for the interval metric (default 0, 1, 2, ...)."""
    people = counts.sum(axis=1)
    used = counts[people >= 2]
    if len(used) == 0:
        return math.nan
    weights = _times(counts, times)[people >= 2] / (used.sum(axis=1) - 1)
    coincidence = used.T @ (used * weights[:, None]) - np.diag((used * weights[:, None]).sum(axis=0))
    totals = coincidence.sum(axis=0)
    distance = _distance(metric, totals, values)
    expected = float((np.outer(totals, totals) * distance).sum())
    if expected == 0:
        return math.nan
    return float(1 - (totals.sum() - 1) * (coincidence * distance).sum() / expected)


def gwet_ac1(counts: F64, times: F64 | None = None) -> float:
    """Gwet's AC1: chance agreement is sum(p (1-p)) / (q-1) over the q categories."""
    return gwet_ac2(counts, "identity", times)


def gwet_ac2(counts: F64, weights: str = "quadratic", times: F64 | None = None) -> float:
    """Gwet's AC2: answers agree as far as ``weights`` of their categories, which stand in order, say: 1 for equal
    ones, 0 for the first and the last. Chance agreement is sum(w) sum(p (1-p)) / (q (q-1))."""
    people, each = counts.sum(axis=1), _times(counts, times)
    answered = counts[people > 0]
    q = counts.shape[1]
    if q < 2 or not each[people >= 2].any():
        return math.nan
    table = agreement_weights(q, weights)
    share = np.average(answered / answered.sum(axis=1, keepdims=True), axis=0, weights=each[people > 0])
    chance = float(table.sum() * (share * (1 - share)).sum() / (q * (q - 1)))
    used = counts[people >= 2]
    n = used.sum(axis=1)
    agreed = float(np.average((used * (used @ table - 1)).sum(axis=1) / (n * (n - 1)), weights=each[people >= 2]))
    return math.nan if chance == 1 else (agreed - chance) / (1 - chance)


def agreement_weights(q: int, weights: str) -> F64:
    """(q, q), q two or more, one of ``WEIGHTS``. Ordinal: 1 - C(d + 1, 2) / C(q, 2) for categories d apart."""
    apart = np.abs(np.subtract.outer(np.arange(q), np.arange(q))).astype(np.float64)
    table = {
        "identity": (apart == 0) * 1.0,
        "linear": 1 - apart / (q - 1),
        "quadratic": 1 - (apart / (q - 1)) ** 2,
        "ordinal": 1 - apart * (apart + 1) / (q * (q - 1)),
    }
    if weights in table:
        return np.asarray(table[weights], dtype=np.float64)
    raise ValueError(f"weights: {weights!r} is not one of {', '.join(WEIGHTS)}")


def fleiss_kappa(counts: F64) -> float:
    """Fleiss' kappa; every unit has the same number of answers."""
    share = counts.sum(axis=0) / counts.sum()
    chance = float((share**2).sum())
    return math.nan if chance == 1 else (observed(counts) - chance) / (1 - chance)


def cohen_kappa(table: F64) -> float:
    """Cohen's kappa of two people; ``table`` (q, q): how often one said the row's category, the other the column's."""
    total = table.sum()
    chance = float((table.sum(axis=0) * table.sum(axis=1)).sum() / total**2)
    return math.nan if chance == 1 else float((np.trace(table) / total - chance) / (1 - chance))


def _warnings(answers: F64) -> tuple[str, ...]:
    """``answers`` (q,): how often each was given."""
    most = float(answers.max(initial=0) / max(answers.sum(), 1))
    if not 0 < 1 - most < RARE or not answers.sum():
        return ()
    return (f"{most:.0%} of the answers are one class: kappa and alpha mislead on rare classes; read Po and AC1",)


def _times(counts: F64, times: F64 | None) -> F64:
    return np.ones(len(counts)) if times is None else times


def _distance(metric: str, totals: F64, values: Sequence[float] | None) -> F64:
    q = len(totals)
    if metric == "nominal":
        return 1.0 - np.eye(q)
    if metric == "interval":
        points = np.arange(q, dtype=np.float64) if values is None else np.asarray(values, dtype=np.float64)
        return (points[:, None] - points[None, :]) ** 2
    if metric == "ordinal":
        middle = np.cumsum(totals) - totals / 2  # sum(n_g, g = c..k) - (n_c + n_k) / 2 is a difference of these
        return (middle[:, None] - middle[None, :]) ** 2
    raise ValueError(f"metric: {metric!r} is not one of {', '.join(METRICS)}")


def _paired(counts: F64, groups: Sequence[str] | None) -> tuple[F64, list[str] | None]:
    """The units with two answers or more, and their groups."""
    paired = counts.sum(axis=1) >= 2
    kept = [group for group, keep in zip(groups, paired, strict=True) if keep] if groups is not None else None
    return counts[paired], kept
