"""What a cascade was seen to lose when it was fitted, and whether its trickle still says the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from scoring.bounds import lower_bound, positives_needed, upper_bound

OK, DRIFTED, INSUFFICIENT = "ok", "drifted", "insufficient"


@dataclass(frozen=True, slots=True)
class PolicyLoss:
    """Positives of one policy among the held-out texts, those lost, and the exact upper bound of the lost share."""

    positives: int
    lost: int
    loss_upper: float


@dataclass(frozen=True, slots=True)
class CascadeReport:
    """Shares are of distinct held-out texts; bounds are one-sided, at 95 %. ``loss_upper`` is exact: it is the bound of
    as many losses as were allowed before the cut was chosen, and at least that of ``lost``. The bounds of picks and of
    single policies are those of a cut that was given, and so a little too low.

    ``items`` were in the sample, ``distinct`` texts among them, ``held_out`` of these were learned from by nothing.
    ``positives``: at or above the threshold of any policy by the full scorer; ``lost``: of these, cleared.
    ``picks``: the most uncertain by the full scorer; ``cleared``: the share that the full scorer is spared, trickle
    taken off. ``stage_s`` and ``full_s``: CPU seconds a text; ``speed_up``: how many times the full scorer's texts per
    CPU second to expect (None: the full scorer was not timed).
    """

    items: int
    distinct: int
    held_out: int
    positives: int
    lost: int
    loss_upper: float
    loss_allowed: float
    picks: int
    picks_lost: int
    picks_lost_upper: float
    cleared: float
    trickle: float
    stage_s: float
    full_s: float | None
    speed_up: float | None
    policies: Mapping[str, PolicyLoss]

    def as_dict(self) -> dict[str, Any]:
        """The fields by name, as JSON has them."""
        return {**asdict(self), "policies": {policy: asdict(loss) for policy, loss in self.policies.items()}}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> CascadeReport:
        """The report that ``as_dict`` told. Raises ValueError for other keys, TypeError for other kinds of values."""
        names = {field.name for field in fields(cls)}
        if set(values) != names:
            raise ValueError(f"a report has the keys {', '.join(sorted(names))}")
        losses = {str(policy): PolicyLoss(**loss) for policy, loss in dict(values["policies"]).items()}
        return cls(**{**values, "policies": losses})


@dataclass(frozen=True, slots=True)
class Drift:
    """What the trickle says now: of ``positives`` among ``items`` that went to the full scorer by chance, ``lost``
    would have been cleared. ``low`` and ``high``: exact one-sided 95 % bounds of that share; ``cleared``: the share of
    the trickle that would have been cleared. ``verdict``: "drifted" when ``low`` is above the loss allowed, "ok" when
    ``high`` is within it, else "insufficient", and ``needed`` positives could say "ok" if none were lost."""

    items: int
    positives: int
    lost: int
    low: float
    high: float
    cleared: float | None
    needed: int
    verdict: str

    def as_dict(self) -> dict[str, Any]:
        """The fields by name, as JSON has them."""
        return asdict(self)


def drift(report: CascadeReport, positive: npt.NDArray[np.bool_], would_clear: npt.NDArray[np.bool_]) -> Drift:
    """``positive`` and ``would_clear`` (n,): of the trickle's items, by the full scorer and by the first stage.
    Raises ValueError when they differ in length."""
    if positive.shape != would_clear.shape:
        raise ValueError(f"{len(positive)} items by the full scorer, {len(would_clear)} by the first stage")
    n, lost = int(positive.sum()), int((positive & would_clear).sum())
    low, high = lower_bound(lost, n), upper_bound(lost, n)
    verdict = DRIFTED if low > report.loss_allowed else OK if high <= report.loss_allowed else INSUFFICIENT
    cleared = float(would_clear.mean()) if len(would_clear) else None
    return Drift(len(positive), n, lost, low, high, cleared, positives_needed(report.loss_allowed), verdict)
