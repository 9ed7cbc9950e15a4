"""Two models on the same items, and two periods of one figure: is there a difference, and where does it come from?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import binom, binomtest, norm


def mcnemar(only_first: int, only_second: int) -> float:
    """The exact two-sided p of McNemar (1947): ``only_first`` items are right by the first alone, ``only_second`` by
    the second alone, both at least 0; items on which they agree say nothing. 1 where there is none."""
    differing = only_first + only_second
    return float(binomtest(only_first, differing, 0.5).pvalue) if differing else 1.0


def pairs_needed(margin: float, discordance: float, power: float = 0.8, alpha: float = 0.05) -> int:
    """Pairs that show, one-sided at ``alpha``, that a model is not worse by ``margin``, both in (0, 1), where the two
    differ on a share ``discordance`` of the items and are equally good: (z_a + z_b)^2 d / margin^2 (Nam 1997)."""
    reach = float(norm.ppf(1 - alpha) + norm.ppf(power))
    return math.ceil(reach**2 * discordance / margin**2)


def not_worse(wins: int, losses: int, n: int, margin: float) -> float:
    """The one-sided p against "the second model is right on a share of the n items that is lower by ``margin`` or
    more": ``wins`` items only the second is right on, ``losses`` only the first; ``margin`` in (0, 1), n above 0.

    The score test of Nam (1997), as Tango (1998) writes it. Where there is no win it is never below the exact
    binomial's p, since the score test is too sure of itself there.
    """
    score = _score(wins, losses, n, -margin)
    p = 1.0 if score is None else float(norm.sf(score))
    return p if wins else max(p, float(binom.cdf(losses, n, margin)))


def paired_difference(wins: int, losses: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """The interval of (wins - losses) / n in [-1, 1]: the gaps that the score test does not reject (Tango 1998), n
    above 0."""
    return _lower(wins, losses, n, confidence), -_lower(losses, wins, n, confidence)


def _lower(wins: int, losses: int, n: int, confidence: float) -> float:
    """By halving: the score falls as the gap grows."""
    z = float(norm.ppf((1 + confidence) / 2))
    low, high = -1.0, (wins - losses) / n
    for _ in range(60):
        middle = (low + high) / 2
        score = _score(wins, losses, n, middle)
        low, high = (middle, high) if score is None or score > z else (low, middle)
    return low


def _score(wins: int, losses: int, n: int, gap: float) -> float | None:
    """Of "the second is right on a share that is higher by ``gap``", in (-1, 1); None: it has no spread."""
    a, b = 2 * n, -wins - losses + (2 * n - wins + losses) * gap
    c = -losses * gap * (1 - gap)
    lost = (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)  # the share of losses where the gap is just met
    spread = n * (2 * lost + gap * (1 - gap))
    return (wins - losses - n * gap) / math.sqrt(spread) if spread > 0 else None


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjusted for being read together (Holm 1979), in the order given: at most ``alpha`` where it stands."""
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return tuple(adjusted)


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a rate: ``mix`` because strata weigh differently now, ``within`` because their own rates moved."""

    mix: float
    within: float

    @property
    def total(self) -> float:
        return self.mix + self.within


def split_change(
    weights_before: Sequence[float],
    rates_before: Sequence[float],
    weights_after: Sequence[float],
    rates_after: Sequence[float],
) -> Change:
    """Kitagawa (1955): weights adding up to 1 and rates of the same strata, in one order, before and after."""
    rows = list(zip(weights_before, rates_before, weights_after, rates_after, strict=True))
    mix = math.fsum((w1 - w0) * (e0 + e1) / 2 for w0, e0, w1, e1 in rows)
    within = math.fsum((e1 - e0) * (w0 + w1) / 2 for w0, e0, w1, e1 in rows)
    return Change(mix, within)
