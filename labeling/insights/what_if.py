"""What if a policy changed like this? Before anything is published: the gold that it touches, how many labels would
turn, what asking again costs, and the bridge that the change needs.

Labels turn independently, each with its chance of ``selection.flips``; their number is then Poisson-binomial, and the
interval holds 95 % of it. That is what the chances say; they are a share of voices, not calibrated on changes of
policy. How good they are shows when the relabel round is done.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from labeling.golden.stale import touched
from labeling.policies import Policy
from labeling.policy_publish import Change, Planned, Stores, Touched, plan_change
from labeling.policy_relabel import Chances, Wanted, ranked
from labeling.policy_versions import by_policy
from labeling.quality.intervals import sample_size
from labeling.records import GoldenItem, GoldState
from labeling.round_costs import Costs

HALF_WIDTH = 0.05  # to which the bridge shall know the share of items that flip
LEAST_SHARE, MOST_SHARE = 0.01, 0.99  # a share of nothing or all takes no sample, and is never known
LICENCE = "model: what chances of a flip say, not calibrated on changes of policy"
F64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class WhatIf:
    """``touched``: rows by policy, rule, language, partition and state; ``stale`` of them are to be asked again.
    ``flips``: how many of these are expected to turn, within [``flips_low``, ``flips_high``]; ``by_severity``: expected
    turns by severity, as S0..S4. ``minutes``: of all people together, ``looks`` of them, ``exposure`` in the units of
    round costs. ``bridge``: items that tell the share that flips to +-0.05."""

    policy_id: str
    before: str | None
    after: str
    kinds: tuple[str, ...]
    touched: tuple[Touched, ...]
    stale: int
    retired: int
    flips: float
    flips_low: int
    flips_high: int
    by_severity: dict[str, float]
    looks: int
    minutes: float
    exposure: float
    bridge: int
    licence: str = LICENCE

    def as_dict(self) -> dict[str, object]:
        """JSON-able."""
        return asdict(self)


def what_if(
    stores: Stores, policy: Policy, change: Change, chances: Chances, costs: Costs, *, overlap: int, now: datetime
) -> WhatIf:
    """``chances``: by item of ``train``, that it violates (``model_chances``). ``overlap``: people that look at each
    label. Nothing is written. Raises what ``plan_change`` does."""
    planned = plan_change(stores, policy, change, now)
    main = planned.versions[0]
    wanted = ranked(policy, would_be_stale(stores, planned), chances)
    p = np.array([one.chance for one in wanted], np.float64)
    low, high = poisson_binomial_interval(p)
    by_severity: dict[str, float] = defaultdict(float)
    for one in wanted:
        by_severity[f"S{one.severity}"] += one.chance
    minutes, exposure = _cost(wanted, chances, costs)
    share = float(p.mean()) if len(p) else 0.5
    return WhatIf(
        policy_id=policy.id,
        before=main.parent,
        after=main.version,
        kinds=tuple(kind.value for kind in main.kinds),
        touched=planned.touched,
        stale=planned.items(GoldState.STALE),
        retired=planned.items(GoldState.RETIRED),
        flips=round(float(p.sum()), 2),
        flips_low=low,
        flips_high=high,
        by_severity={level: round(n, 2) for level, n in sorted(by_severity.items())},
        looks=overlap * len(wanted),
        minutes=round(overlap * minutes, 1),
        exposure=round(overlap * exposure, 2),
        bridge=sample_size(min(MOST_SHARE, max(LEAST_SHARE, share)), HALF_WIDTH),
    )


def would_be_stale(stores: Stores, planned: Planned) -> list[GoldenItem]:
    """The golden items that publishing would make stale, by policy and id."""
    histories = by_policy(stores.policies.all())
    found = []
    for version in planned.versions:
        history = [*histories.get(version.policy_id, ()), version]
        moved = touched(history, stores.golden.items(policy_id=version.policy_id))
        found += [item for item, to in moved if to is GoldState.STALE]
    return found


def poisson_binomial_interval(p: F64, confidence: float = 0.95) -> tuple[int, int]:
    """The central interval of how many of independent events with probabilities ``p`` (n,) come about, exact: their
    generating function is evaluated at the roots of unity (Fernandez and Williams 2010)."""
    n = len(p)
    roots = np.exp(2j * np.pi * np.arange(n + 1) / (n + 1))
    values = np.ones(n + 1, np.complex128)
    for chance in p:
        values *= 1.0 - chance + chance * roots
    cumulated = np.cumsum(np.fft.fft(values).real / (n + 1))
    tail = (1.0 - confidence) / 2.0
    low, high = (int(np.searchsorted(cumulated, level)) for level in (tail, 1.0 - tail))
    return min(low, n), min(high, n)


def _cost(wanted: Sequence[Wanted], chances: Chances, costs: Costs) -> tuple[float, float]:
    """Minutes and exposure of one look at each."""
    minutes = sum(costs.minutes(one.item.text, one.item.modality) for one in wanted)
    looks = [costs.look(one.item.text, one.item.modality) * 2.0**one.severity for one in wanted]
    return minutes, sum(look * _violates(one, chances) for look, one in zip(looks, wanted, strict=True))


def _violates(one: Wanted, chances: Chances) -> float:
    """How likely it is that whoever looks sees harm."""
    return chances.get(one.item.item_id, 1.0 if one.item.severity is not None else 0.5)
