"""The common-mode alarm: internal QA sees nothing while the outside does.

Who re-reviews works by the same rules and guides as who decides. Where these are outdated or wrong for everybody,
re-review agrees with the decision, and accuracy stays where it is. People outside do not share the guide: their appeals
are granted more often, or they report more of what was left. Two windows of the same length are held against each
other:

- **QA is flat** when Newcombe's interval (1998) of the change of accuracy holds 0 or lies within +-``margin``.
- **Overturns rise** when Newcombe's interval of the change of overturned over decided appeals lies above 0.
- **Reports rise** when the exact test of two Poisson rates says so (Przyborowski and Wilenski 1940): given all reports,
  those of the second window are binomial with the second window's share of the decisions. The interval of the ratio of
  the rates is Clopper and Pearson's of that share, as odds.

The alarm rings where QA is flat and one of the two rises. Each of the two is one-sided at (1 - confidence) / 2, so that
together they ring for nothing in at most 1 - confidence of the looks. Reports that come in waves (one campaign, many
reports of one item) are not Poisson, and ring more often: count distinct items.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from scipy.stats import binom

from labeling.quality.intervals import FEW, clopper_pearson, newcombe

MARGIN = 0.02  # of accuracy, within which a change counts as none


class State(StrEnum):
    """What the two windows say together."""

    ALARM = "alarm"
    QUIET = "quiet"
    QA_MOVED = "qa moved"  # internal QA sees a change itself: no common mode
    INSUFFICIENT = "insufficient"


@dataclass(frozen=True, slots=True)
class Window:
    """What a window saw. ``judged`` decisions were judged again; their accuracy is ``right`` of ``effective`` (Kish's
    n, not whole; 0 where none). ``overturned`` of ``decided`` appeals. ``reports`` (distinct items) beside
    ``decisions``, the exposure."""

    judged: int
    effective: float
    right: float
    decided: int
    overturned: int
    decisions: int
    reports: int


@dataclass(frozen=True, slots=True)
class Shift:
    """A change from one window to the next. ``value``: the change; ``low``, ``high``: its interval, None where there is
    no such end. ``n``: what both windows hold of it. ``p``: one-sided, against "no rise". ``moves``: None where there
    is too little to say."""

    before: float | None
    after: float | None
    value: float | None
    low: float | None
    high: float | None
    n: int
    p: float | None
    moves: bool | None


@dataclass(frozen=True, slots=True)
class CommonMode:
    """``state``, and the three changes behind it. ``accuracy``: n judged decisions; ``overturns``: n decided appeals;
    ``reports``: n reports, per 1,000 decisions; its ``value`` is the ratio of the rates, None where the first is 0."""

    state: State
    accuracy: Shift
    overturns: Shift
    reports: Shift


def common_mode(before: Window, after: Window, margin: float = MARGIN, confidence: float = 0.95) -> CommonMode:
    """Hold the second window against the first. ``margin`` in [0, 1)."""
    accuracy = _accuracy(before, after, margin, confidence)
    overturns = _overturns(before, after, confidence)
    reports = _reports(before, after, confidence)
    return CommonMode(_state(accuracy, overturns, reports), accuracy, overturns, reports)


def rates_rise(events_before: int, exposure_before: int, events_after: int, exposure_after: int) -> float:
    """The exact one-sided p against "the second Poisson rate is not above the first"; exposures above 0."""
    share = exposure_after / (exposure_before + exposure_after)
    return float(binom.sf(events_after - 1, events_before + events_after, share))


def rates_ratio(
    events_before: int, exposure_before: int, events_after: int, exposure_after: int, confidence: float = 0.95
) -> tuple[float, float | None]:
    """The exact interval of the second rate over the first; None: it has no upper end. Exposures and all events
    together are above 0."""
    ends = clopper_pearson(events_after, events_before + events_after, confidence)
    low, high = (share / (1 - share) * exposure_before / exposure_after if share < 1 else None for share in ends)
    return low or 0.0, high


def _state(accuracy: Shift, overturns: Shift, reports: Shift) -> State:
    if accuracy.moves is None or (overturns.moves is None and reports.moves is None):
        return State.INSUFFICIENT
    if accuracy.moves:
        return State.QA_MOVED
    return State.ALARM if overturns.moves or reports.moves else State.QUIET


def _accuracy(before: Window, after: Window, margin: float, confidence: float) -> Shift:
    n = before.judged + after.judged
    if min(before.judged, after.judged) <= FEW:
        return _nothing(n)
    gap, (low, high) = newcombe(after.right, after.effective, before.right, before.effective, confidence)
    is_flat = low <= 0 <= high or (low >= -margin and high <= margin)
    return Shift(before.right / before.effective, after.right / after.effective, gap, low, high, n, None, not is_flat)


def _overturns(before: Window, after: Window, confidence: float) -> Shift:
    n = before.decided + after.decided
    if min(before.decided, after.decided) <= FEW:
        return _nothing(n)
    gap, (low, high) = newcombe(after.overturned, after.decided, before.overturned, before.decided, confidence)
    first, second = before.overturned / before.decided, after.overturned / after.decided
    return Shift(first, second, gap, low, high, n, None, low > 0)


def _reports(before: Window, after: Window, confidence: float) -> Shift:
    n = before.reports + after.reports
    if not before.decisions or not after.decisions or n <= FEW:
        return _nothing(n)
    first, second = 1000 * before.reports / before.decisions, 1000 * after.reports / after.decisions
    p = rates_rise(before.reports, before.decisions, after.reports, after.decisions)
    low, high = rates_ratio(before.reports, before.decisions, after.reports, after.decisions, confidence)
    return Shift(first, second, second / first if first else None, low, high, n, p, p <= (1 - confidence) / 2)


def _nothing(n: int) -> Shift:
    return Shift(None, None, None, None, None, n, None, None)
