"""What a lane's picks were worth beside picks at random: label lift, and the money it saved."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from labeling.quality.intervals import ENOUGH, FEW, INSUFFICIENT, check_counts, clopper_pearson

METHOD = "ratio of shares; exact, conservative: two clopper-pearson intervals of 97.5 %"


@dataclass(frozen=True, slots=True)
class Range:
    """A number with its 95 % interval. ``value`` is None where there are too few answers to say one, ``high`` where no
    upper end can be given (random may have found nothing)."""

    value: float | None
    low: float
    high: float | None

    def times(self, factor: float, plus: float = 0.0) -> Range:
        """Every number times ``factor`` (0 or more), ``plus`` added."""
        value, high = (None if number is None else number * factor + plus for number in (self.value, self.high))
        return Range(value, self.low * factor + plus, high)


@dataclass(frozen=True, slots=True)
class Lift:
    """A lane of n answers beside the random arm. ``lift``: how many times the random arm's share of violations the
    lane's is; ``random_labels``: how many labels the random arm would have needed for as many violations;
    ``saved_labels``: how many more those are than the lane took; ``saved``: what they cost, in the money of
    ``cost_per_label``, None where that is not given."""

    lift: Range
    random_labels: Range
    saved_labels: Range
    saved: Range | None
    n: int
    random_n: int
    method: str
    verdict: str

    def as_dict(self) -> dict[str, object]:
        """JSON-able; each range with the lane's n, and with why it has no value."""
        ranges = {name: getattr(self, name) for name in ("lift", "random_labels", "saved_labels", "saved")}
        more = {"n": self.n, "verdict": self.verdict}
        told = {name: None if one is None else asdict(one) | more for name, one in ranges.items()}
        return asdict(self) | told


def label_lift(hits: int, n: int, random_hits: int, random_n: int, cost_per_label: float | None = None) -> Lift:
    """``hits`` of a lane's n answers violate, ``random_hits`` of the random arm's ``random_n``.

    The interval is exact: each share has its Clopper-Pearson interval at 97.5 %, and the ratio of their far ends holds
    the true ratio with at least 95 % (Bonferroni). With ``FEW`` answers or fewer on either side, or none that violates
    at random, there is no value, but there are ends.
    """
    check_counts(hits, n)
    check_counts(random_hits, random_n)
    low, high = clopper_pearson(hits, n, 0.975) if n else (0.0, 1.0)
    random_low, random_high = clopper_pearson(random_hits, random_n, 0.975) if random_n else (0.0, 1.0)
    enough = min(n, random_n) > FEW and random_hits > 0
    value = (hits / n) / (random_hits / random_n) if enough else None
    lift = Range(value, low / random_high, high / random_low if random_low > 0 else None)
    return Lift(
        lift=lift,
        random_labels=lift.times(n),
        saved_labels=lift.times(n, -n),
        saved=None if cost_per_label is None else lift.times(n * cost_per_label, -n * cost_per_label),
        n=n,
        random_n=random_n,
        method=METHOD,
        verdict=ENOUGH if enough else INSUFFICIENT,
    )
