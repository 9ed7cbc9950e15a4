"""What a change of policy would cost before it is published: labels to give again, how many of them turn, and minutes.

Sealed items are bounded, not counted (``labeling.policy_publish.Planned``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from labeling.figures import Origin
from labeling.golden.gold_links import GoldAsked
from labeling.golden.newest import newest_name
from labeling.policies import Policy
from labeling.policy_publish import Planned, Stores
from labeling.policy_relabel import Chances, Wanted, asked_again, model_chances, ranked
from labeling.policy_rounds import GoldStores
from labeling.policy_texts import Difference, difference
from labeling.policy_versions import History, by_policy
from labeling.quality.intervals import sample_size
from labeling.quality.poisson_binomial import central_interval
from labeling.records import GoldenItem, GoldState, Partition
from labeling.round_costs import Costs, exposure_of, looks_of, minutes_of
from labeling.scorebook import LakeScorer
from labeling.store.interfaces import Lake

HALF_WIDTH = 0.05  # to which the bridge shall know the share of items that turns
SHARES = (0.01, 0.99)  # a share of nothing or all takes no sample, and is never known
LICENCE = "model: what chances of a flip say, not calibrated on changes of policy"


@dataclass(frozen=True, slots=True)
class Asked:
    """Labels that are to be given again. ``flips``: how many of them are expected to turn, the sum of their chances
    (``labeling.policy_relabel``), within [``flips_low``, ``flips_high``] with 95 % if they turn independently, and
    ``by_severity`` (S0..S4); ``by_model`` of the labels have a model's voice in that. ``minutes`` of people's time and
    their ``exposure`` (``labeling.round_costs``), all looks together. ``bridge``: so many items, labelled under both
    versions, tell the share that turns to +-0.05."""

    labels: int
    flips: float
    flips_low: int
    flips_high: int
    by_severity: dict[str, float]
    by_model: int
    minutes: float
    exposure: float
    bridge: int
    licence: str = LICENCE


@dataclass(frozen=True, slots=True)
class Preview:
    """``asked``: what a relabel round without a budget would ask, sealed items left out, of which ``sealed_at_most``
    come on top. ``difference`` from the version before; None of a first version."""

    planned: Planned
    stale: int
    retired: int
    sealed_at_most: int
    asked: Asked
    difference: Difference | None
    golden_version: str

    def as_dict(self) -> dict[str, object]:
        """JSON-able but for times; the plan's parts stand beside the figures."""
        told = asdict(self)
        planned, asked = told.pop("planned"), told["asked"]
        ends = {"low": asked.pop("flips_low"), "high": asked.pop("flips_high")}
        flips = {"value": asked["flips"], **ends, "n": asked["labels"], "method": "poisson-binomial"}
        version = self.planned.versions[0]
        items = GoldAsked(policy=version.policy_id, state=GoldState.ACTIVE).link()
        asked["flips"] = Origin(asked.pop("licence"), told.pop("golden_version"), version.version, items).of(flips)
        return {"versions": planned["versions"], "touched": planned["touched"], **told}


def preview(
    stores: GoldStores, lake: Lake, policy: Policy, planned: Planned, scorer: LakeScorer | None, overlap: int
) -> Preview:
    """Of a plan for ``policy``, whose labels ``overlap`` people give; ``scorer``: None where none has scored it.
    Nothing is written."""
    main = planned.versions[0]
    histories = by_policy(stores.policies.all())
    known = histories.get(policy.id, ())
    items = asked_again(stores, [*known, main])
    told = [item for item in items if item.partition is not Partition.SEALED]
    before = known[-1].policy if known else None
    return Preview(
        planned=planned,
        stale=planned.items(GoldState.STALE),
        retired=planned.items(GoldState.RETIRED),
        sealed_at_most=_sealed(stores, [*known, main], planned),
        asked=asked(lake, policy, told, scorer, overlap),
        difference=difference(before, policy, f"{policy.id}@{main.parent}", policy.id) if before else None,
        golden_version=newest_name(stores.golden),
    )


def asked(lake: Lake, policy: Policy, items: Sequence[GoldenItem], scorer: LakeScorer | None, overlap: int) -> Asked:
    """What asking about these items again under a policy would bring and cost."""
    chances = chances_of(lake, policy, items, scorer)
    wanted = ranked(policy, items, chances) if items else []
    ids, costs = [one.item.item_id for one in wanted], Costs()
    minutes = minutes_of(lake, ids, costs, overlap) if ids else ()
    looks = looks_of(lake, ids, costs) if ids else np.zeros(0, np.float32)
    p = np.array([one.chance for one in wanted], np.float64)
    low, high = central_interval(p)
    by_severity: dict[str, float] = defaultdict(float)
    for one in wanted:
        by_severity[f"S{one.severity}"] += one.chance
    seen = np.array([[2.0**one.severity * _harmful(one, chances)] for one in wanted], np.float32).reshape(-1, 1)
    harm = exposure_of(seen, [1.0], overlap, looks) if ids else ()
    share = float(np.clip(p.mean(), *SHARES)) if ids else 0.5
    return Asked(
        labels=len(items),
        flips=round(float(p.sum()), 2),
        flips_low=low,
        flips_high=high,
        by_severity={level: round(by_severity[level], 2) for level in sorted(by_severity)},
        by_model=len(chances),
        minutes=round(float(sum(minutes)), 1),
        exposure=round(float(sum(harm)), 2),
        bridge=sample_size(share, HALF_WIDTH),
    )


def _harmful(one: Wanted, chances: Chances) -> float:
    """How likely it is that whoever looks sees harm."""
    return chances.get(one.item.item_id, 0.5 if one.item.severity is None else 1.0)


def chances_of(lake: Lake, policy: Policy, items: Sequence[GoldenItem], scorer: LakeScorer | None) -> Chances:
    """``model_chances``, and none where no scorer speaks."""
    nothing: Mapping[str, float] = {}
    return nothing if scorer is None else model_chances(lake, scorer, policy, items)


def _sealed(stores: Stores, history: History, planned: Planned) -> int:
    """So many sealed items may be asked about again: those that the plan bounds, those that are stale by now, and those
    of the policies that a split or a merge comes from."""
    if history[-1].is_retired:
        return 0
    sealed = stores.golden.items(partition=Partition.SEALED)
    own = [item for item in sealed if item.policy_id == history[-1].policy_id]
    taken = {name for change in history for name in change.predecessors}
    seeds = {item.item_id for item in sealed if item.policy_id in taken} - {item.item_id for item in own}
    return planned.sealed_at_most + sum(item.state is GoldState.STALE for item in own) + len(seeds)
