"""How right a project's decisions were, from a stratified sample of them: share, design effect, interval, and how
likely it is below its target.

The share is ``sum(W_h r_h / n_h)``, ``W_h = N_h / N`` (Cochran 1977, 5.3; Hajek's estimator with ``pi = n_h / N_h``),
its variance ``sum(W_h^2 (1 - n_h/N_h) q_h (1 - q_h) / (n_h - 1))``. ``q_h`` is the stratum's share drawn towards the
whole by one answer, ``(r_h + share) / (n_h + 1)``: a few answers that are all right are no proof that a stratum has no
errors. Design effect: that variance over ``share (1 - share) / n``. The interval is Wilson's on ``n`` over the design
effect, never on more than n (Korn and Graubard 1998); where all or none are right Clopper and Pearson's on Kish's
effective n, ``1 / sum(W_h^2 / n_h)``. Below a target: the posterior of Jeffreys' prior, ``Beta(r + 1/2, n - r + 1/2)``,
with r and n effective (Brown, Cai and DasGupta 2001; effective counts as in Franco, Little, Louis and Slud 2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import beta

from labeling.quality.intervals import ENOUGH, FEW, INSUFFICIENT, Figure, clopper_pearson, wilson

CENSUS = "census"


@dataclass(frozen=True, slots=True)
class Tally:
    """A stratum of a project: ``units`` decisions, ``n`` of them judged again, ``events`` of these count;
    0 <= events <= n <= units."""

    units: int
    n: int
    events: int


@dataclass(frozen=True, slots=True)
class Share:
    """A share of a project's decisions. ``design_effect``: None where all or none are events; ``effective_n`` what the
    interval rests on. ``covered``: share of the decisions that lie in strata with an answer; the figure speaks for
    these."""

    figure: Figure
    design_effect: float | None
    effective_n: float
    covered: float
    estimate: float

    def below(self, target: float) -> float | None:
        """The probability that the share lies below ``target``, in [0, 1]; None where the figure is insufficient."""
        if self.figure.value is None:
            return None
        if self.figure.method == CENSUS:
            return float(self.estimate < target)
        events = self.estimate * self.effective_n
        return float(beta.cdf(target, events + 0.5, self.effective_n - events + 0.5))

    def as_dict(self) -> dict[str, object]:
        """JSON-able."""
        more = {"design_effect": self.design_effect, "effective_n": self.effective_n, "covered": self.covered}
        return self.figure.as_dict() | more


def stratified(tallies: Sequence[Tally], confidence: float = 0.95) -> Share:
    """The share of events among the decisions of all strata. With ``FEW`` answers or fewer it is insufficient."""
    told = [tally for tally in tallies if tally.n]
    n, events = sum(t.n for t in told), sum(t.events for t in told)
    every, covered = sum(t.units for t in tallies), sum(t.units for t in told)
    if not told:
        return Share(Figure(None, 0.0, 1.0, 0, 0, "none", INSUFFICIENT), None, 0.0, 0.0, 0.0)
    weights = [t.units / covered for t in told]
    share = min(1.0, sum(w * t.events / t.n for w, t in zip(weights, told, strict=True)))
    effect: float | None = None
    if events in (0, n):
        effective = min(float(n), 1 / sum(w * w / t.n for w, t in zip(weights, told, strict=True)))
        share = float(events > 0)
        (low, high), method = clopper_pearson(share * effective, effective, confidence), "stratified, clopper-pearson"
    else:
        effect = _variance(weights, told, share) / (share * (1 - share) / n)
        effective = float(n) if effect <= 1 else n / effect
        (low, high), method = wilson(share * effective, effective, confidence), "stratified, wilson"
    enough = n > FEW
    if all(t.n == t.units for t in told):  # nothing was drawn: all of it was looked at
        low, high, method = share, share, CENSUS
    value, verdict = (share, ENOUGH) if enough else (None, INSUFFICIENT)
    return Share(Figure(value, low, high, n, events, method, verdict), effect, effective, covered / every, share)


def _variance(weights: Sequence[float], told: Sequence[Tally], share: float) -> float:
    """A stratum with one answer counts as if it had two: there is no spread to see, and dividing by 0 is none."""
    total = 0.0
    for weight, tally in zip(weights, told, strict=True):
        q = (tally.events + share) / (tally.n + 1)
        total += weight**2 * (1 - tally.n / tally.units) * q * (1 - q) / max(1, tally.n - 1)
    return total
