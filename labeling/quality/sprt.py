"""Is this person still good? Wald's sequential test on injected anchors, which decides as soon as it may.

Two hypotheses about the share of right answers: ``good`` and ``poor``. Each answer to an item whose answer is known
adds log(P(answer | poor) / P(answer | good)); at the upper bound the person is flagged, at the lower one cleared (Wald
1945). A good person is flagged with a probability of about ``alpha``, a poor one cleared with about ``beta``.

Gold can be wrong too: against gold of which a share e is wrong, somebody right in A of the cases is seen to be right in
A (1 - e) + (1 - A) e. ``gold_error`` moves both hypotheses by that, and ``corrected`` takes it out of a figure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from labeling.quality.intervals import Figure

State = Literal["flagged", "cleared", "going on"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Where the test stands: ``evidence`` in nats (above 0: for ``poor``), of ``n`` answers ``errors`` were wrong.
    Answers after the decision do not count."""

    state: State
    evidence: float
    n: int
    errors: int

    def as_dict(self) -> dict[str, object]:
        """JSON-able."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Sprt:
    """The plan of a test. Raises ValueError unless 0 < poor < good < 1, alpha and beta lie in (0, 0.5) and the gold
    error in [0, 0.5)."""

    good: float = 0.95
    poor: float = 0.85
    alpha: float = 0.05
    beta: float = 0.10
    gold_error: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.poor < self.good < 1:
            raise ValueError(f"poor: {self.poor} must lie between 0 and good ({self.good}), and that below 1")
        for name in ("alpha", "beta"):
            if not 0 < getattr(self, name) < 0.5:
                raise ValueError(f"{name}: {getattr(self, name)} is not between 0 and 0.5")
        _check_error(self.gold_error)

    @property
    def flag(self) -> float:
        """The upper bound, nats."""
        return math.log((1 - self.beta) / self.alpha)

    @property
    def clear(self) -> float:
        """The lower bound, nats."""
        return math.log(self.beta / (1 - self.alpha))

    def step(self, *, right: bool) -> float:
        """What one answer adds, nats."""
        good, poor = seen(self.good, self.gold_error), seen(self.poor, self.gold_error)
        return math.log(poor / good) if right else math.log((1 - poor) / (1 - good))

    def run(self, answers: Iterable[bool]) -> Verdict:
        """The verdict after ``answers`` (True: right), in the order in which they were given."""
        evidence, n, errors = 0.0, 0, 0
        for right in answers:
            evidence, n, errors = evidence + self.step(right=right), n + 1, errors + (not right)
            if evidence >= self.flag:
                return Verdict("flagged", evidence, n, errors)
            if evidence <= self.clear:
                return Verdict("cleared", evidence, n, errors)
        return Verdict("going on", evidence, n, errors)


def seen(accuracy: float, gold_error: float) -> float:
    """The accuracy that gold with such errors shows, when its errors have nothing to do with the person's."""
    return accuracy * (1 - gold_error) + (1 - accuracy) * gold_error


def corrected(accuracy: float, gold_error: float) -> float:
    """(A - e) / (1 - 2e), kept in [0, 1]: the accuracy behind one that was seen. Two classes, or errors of the person
    that never meet those of gold. Raises ValueError for an error outside [0, 0.5)."""
    _check_error(gold_error)
    return min(1.0, max(0.0, (accuracy - gold_error) / (1 - 2 * gold_error)))


def corrected_figure(figure: Figure, gold_error: float) -> Figure:
    """The corrected figure, to stand beside the raw one. The interval holds for that very ``gold_error``."""
    value = None if figure.value is None else corrected(figure.value, gold_error)
    low, high = corrected(figure.low, gold_error), corrected(figure.high, gold_error)
    method = f"{figure.method}, corrected for {gold_error:.1%} errors of gold"
    return replace(figure, value=value, low=low, high=high, method=method)


def _check_error(gold_error: float) -> None:
    if not 0 <= gold_error < 0.5:
        raise ValueError(f"gold_error: {gold_error} is not in [0, 0.5)")
