"""Recall from audits of both sides: of what should have been removed, how much was?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labeling.quality.intervals import clopper_pearson, upper_bound
from selection.errors import NoLicence

SURE = 0.95  # of the bound at which an empty stratum is held


@dataclass(frozen=True, slots=True)
class Audit:
    """A stratum of ``items``, of which ``checked`` (above 0, drawn at random) were judged anew; ``violating`` of these
    violate. Neither need be whole: of an uneven draw they are effective numbers (``audit_of``)."""

    name: str
    items: float
    checked: float
    violating: float


@dataclass(frozen=True, slots=True)
class Recall:
    """``point``; ``floor``: with every approved stratum in which nothing was found at its exact 95 % upper bound, those
    strata named in ``empty``."""

    point: float
    floor: float
    empty: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Help:
    """What would raise the floor to a wanted level: ``checks`` more in the empty stratum ``name``, all of them clean,
    while everything else stays as it is. None: no number would do, by this stratum alone."""

    name: str
    checks: int | None


def recall_of(removed: Audit, approved: Sequence[Audit]) -> Recall:
    """Removed and violating, over all that violates. NaN where nothing violates."""
    right, missed = _found(removed), math.fsum(_found(each) for each in approved)
    empty = [each for each in approved if each.violating == 0]
    unseen = math.fsum(_unseen(each) for each in empty)
    return Recall(_share(right, missed), _share(right, missed + unseen), tuple(each.name for each in empty))


def interval_of(removed: Audit, approved: Sequence[Audit], confidence: float = 0.95) -> tuple[float, float]:
    """Both ends of the recall with every stratum at an exact bound at once, each at Bonferroni's level: it holds the
    truth at least as often as ``confidence``, mostly more. NaN where nothing can violate."""
    each = 1 - (1 - confidence) / (1 + len(approved))
    low, high = _ends(removed, each)
    ends = [_ends(one, each) for one in approved]
    return _share(low, math.fsum(end[1] for end in ends)), _share(high, math.fsum(end[0] for end in ends))


def help_of(removed: Audit, approved: Sequence[Audit], wanted: float) -> Help | None:
    """How many more clean checks raise the floor to ``wanted``, in (0, 1), spent in the empty stratum that holds the
    most back; None where the floor is there, or no stratum is empty."""
    empty = [each for each in approved if each.violating == 0]
    if not empty or recall_of(removed, approved).floor >= wanted:
        return None
    worst = max(empty, key=_unseen)
    rest = math.fsum(_found(each) for each in approved) + math.fsum(
        _unseen(each) for each in empty if each is not worst
    )
    allowed = (_found(removed) / wanted - _found(removed) - rest) / worst.items
    if allowed <= 0:
        return Help(worst.name, None)
    # 1 - (1 - SURE)^(1/n) <= allowed, which is the exact bound of no event
    most = math.ceil(math.log1p(-SURE) / math.log1p(-allowed))
    while upper_bound(0, most, SURE) > allowed:  # the logarithms are rounded
        most += 1
    return Help(worst.name, max(1, math.ceil(most - worst.checked)))


def audit_of(
    name: str, items: float, violates: Sequence[bool], pi: Sequence[float | None], sizes: Sequence[float] | None = None
) -> Audit:
    """A stratum of ``items`` (or of views, with each check's own as ``sizes``) from checks with inclusion probability
    ``pi``: Hajek's share of Kish's effective number of checks. Raises NoLicence for a ``pi`` that is not known or not
    in (0, 1], and where nothing with a size was checked: such a stratum says nothing of a population."""
    if any(chance is None or not 0 < chance <= 1 for chance in pi):
        raise NoLicence(
            f"audit of {name}: a check has no inclusion probability and speaks for itself alone; draw checks at random"
        )
    chances = np.asarray(pi, np.float64)
    weights = np.ones(len(chances)) / chances if sizes is None else np.asarray(sizes, np.float64) / chances
    total = float(weights.sum())
    if total <= 0:
        raise NoLicence(f"audit of {name}: nothing of it was checked; draw some of it at random")
    effective = min(float(np.count_nonzero(weights)), total**2 / float((weights**2).sum()))
    return Audit(name, items, effective, effective * float(weights @ np.asarray(violates, np.float64)) / total)


def _found(audit: Audit) -> float:
    return audit.items * audit.violating / audit.checked


def _unseen(audit: Audit) -> float:
    return audit.items * upper_bound(0, audit.checked, SURE)


def _ends(audit: Audit, confidence: float) -> tuple[float, float]:
    low, high = clopper_pearson(min(audit.violating, audit.checked), audit.checked, confidence)
    return audit.items * low, audit.items * high


def _share(right: float, missed: float) -> float:
    return right / (right + missed) if right + missed else float("nan")
