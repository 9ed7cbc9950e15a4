"""What the golden set lacks: how many rows each stratum has and needs, and the round that would bring the rest.

A stratum is a policy, a rule, a language, a severity and a zone: ``violating``; ``near_miss``: allowed, but the model
would have acted on it when it was picked, or somebody said that it violates; ``clear``: the other allowed ones, which
have neither rule nor severity. Each needs as many rows as a share that is expected around ``share`` takes for a Wilson
interval of ``half_width`` to each side (``labeling.quality.intervals.sample_size``).

Rows are counted in one partition that people may see into. What is missing there takes more labels than that, since
each new near-duplicate group falls into it with the probability of its share alone.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum

import pyarrow.compute as pc

from labeling.errors import InvalidInput, NothingToDo
from labeling.golden.partition import Shares
from labeling.policies import Policies, Policy
from labeling.quality.intervals import sample_size
from labeling.records import GoldenItem, GoldState, Outcome, Partition, PickRow
from labeling.store.interfaces import Golden, Lake, Rounds

SEEN = (Partition.TRAIN, Partition.CALIBRATION, Partition.DEV)  # whose answers may be counted in the open
COMMON = 0.01  # share of the texts from which on a language that gold lacks is a stratum
RANDOM_LEAST = 0.1  # of a round: what keeps its figures about all traffic possible
SURE = 0.5  # of the texts in a language: so many can be asked for, whatever the scores say
UNKNOWN = "und"


class Zone(StrEnum):
    """Where an item lies, as people and the model saw it."""

    VIOLATING = "violating"
    NEAR_MISS = "near_miss"
    CLEAR = "clear"


LANES = {Zone.VIOLATING: "risk", Zone.NEAR_MISS: "uncertain", Zone.CLEAR: "random"}  # which brings them


@dataclass(frozen=True, slots=True, order=True)
class Stratum:
    """``rule`` "" and ``severity`` None: of what is allowed."""

    policy: str
    zone: Zone
    rule: str
    language: str
    severity: int | None


@dataclass(frozen=True, slots=True)
class Need:
    """How many rows a stratum has and needs."""

    stratum: Stratum
    have: int
    need: int

    @property
    def gap(self) -> int:
        return max(0, self.need - self.have)

    def as_dict(self) -> dict[str, object]:
        """JSON-able."""
        return {**asdict(self.stratum), "have": self.have, "need": self.need, "gap": self.gap}


@dataclass(frozen=True, slots=True)
class GoldPlan:
    """``needs``: the largest gaps first. ``labels``: about how many new labels close them all, if each fell into its
    stratum: a lower bound. ``languages``: texts in the lake by language."""

    partition: Partition
    share: float
    half_width: float
    needs: tuple[Need, ...]
    labels: int
    languages: dict[str, int]

    def only(self, need: Need) -> GoldPlan:
        """The plan of one gap alone, with its share of the labels, rounded up."""
        missing = sum(each.gap for each in self.needs)
        labels = -(-self.labels * need.gap // missing) if missing else 0
        return replace(self, needs=(need,), labels=labels)

    def as_dict(self) -> dict[str, object]:
        """JSON-able."""
        told = {name: getattr(self, name) for name in ("share", "half_width", "labels", "languages")}
        return {"partition": str(self.partition), **told, "strata": [need.as_dict() for need in self.needs]}


def plan_gold(
    stores: tuple[Golden, Rounds],
    lake: Lake,
    policies: Policies,
    shares: Shares,
    *,
    partition: str = Partition.DEV,
    share: float = 0.9,
    half_width: float = 0.1,
) -> GoldPlan:
    """Count what is there, beside what is needed. Raises InvalidInput for a partition that nobody may see into, or a
    share or width that means nothing."""
    seen = _seen(partition)
    if not 0 < share < 1 or not 0 < half_width < 0.5:
        raise InvalidInput(f"share {share}, half_width {half_width}: give a share in (0, 1) and a width in (0, 0.5)")
    golden, rounds = stores
    picks = {(pick.round_id, pick.item_id, pick.policy_id): pick for pick in rounds.picks()}
    rows = [row for row in golden.items(partition=seen) if row.state is GoldState.ACTIVE and row.policy_id in policies]
    have = Counter(
        stratum_of(row, picks, policies) for row in rows if row.outcome in (Outcome.VIOLATES, Outcome.ALLOWED)
    )
    spoken = _languages(lake)
    strata = {*have, *_expected(policies, have, spoken)}
    need = sample_size(share, half_width)
    needs = sorted(
        (Need(s, have[s], need) for s in strata), key=lambda each: (-each.gap, each.stratum.policy, str(each))
    )
    of_labels = float(getattr(shares, seen.value))
    missing = sum(each.gap for each in needs)
    labels = math.ceil(missing / of_labels) if of_labels else 0
    return GoldPlan(seen, share, half_width, tuple(needs), labels, spoken)


def round_for(plan: GoldPlan, budget: int) -> dict[str, object]:
    """What a round of ``budget`` picks asks for to close gaps: policies, shares of lanes, quotas by policy and
    language. Raises NothingToDo when nothing is missing."""
    gaps = [need for need in plan.needs if need.gap]
    if not gaps:
        raise NothingToDo(
            "every stratum has the rows it needs: ask for a narrower half_width, or for another partition"
        )
    lanes = _shares(_sums((LANES[need.stratum.zone], need.gap) for need in gaps))
    purposive = int(budget * lanes.get("uncertain", 0.0))
    by_policy = _sums((need.stratum.policy, need.gap) for need in gaps)
    by_language = _sums((need.stratum.language, need.gap) for need in gaps if need.stratum.language != UNKNOWN)
    quotas = [
        *_least("policy", by_policy, purposive, {}),
        *_least("language", by_language, purposive, plan.languages),
    ]
    return {"budget": budget, "policies": sorted(by_policy), "lanes": lanes, "quotas": quotas}


def stratum_of(row: GoldenItem, picks: Mapping[tuple[str, str, str], PickRow], policies: Policies) -> Stratum:
    """Where a row belongs that violates or is allowed."""
    if row.outcome is Outcome.VIOLATES:
        return Stratum(row.policy_id, Zone.VIOLATING, row.rule or "", row.language, row.severity)
    pick = picks.get((row.round_id, row.item_id, row.policy_id))
    acted = pick is not None and pick.probability >= policies[row.policy_id].threshold
    doubted = any(answer.split("/")[0] == Outcome.VIOLATES for answer in row.votes)
    return Stratum(row.policy_id, Zone.NEAR_MISS if acted or doubted else Zone.CLEAR, "", row.language, None)


def _counts(row: GoldenItem, policies: Policies) -> bool:
    known = row.policy_id in policies and row.outcome in (Outcome.VIOLATES, Outcome.ALLOWED)
    return known and row.state is GoldState.ACTIVE


def _seen(partition: str) -> Partition:
    if partition not in [str(each) for each in SEEN]:
        raise InvalidInput(
            f"partition: {partition!r} is not one of {', '.join(SEEN)}; what is sealed or an anchor is not counted by "
            "answer"
        )
    return Partition(partition)


def _languages(lake: Lake) -> dict[str, int]:
    """Texts by language."""
    counts: Counter[str] = Counter()
    for batch in lake.scan(["language"]) if lake.snapshot() else ():
        for pair in pc.value_counts(batch["language"]).to_pylist():
            counts[pair["values"]] += pair["counts"]
    return dict(sorted(counts.items()))


def _expected(policies: Policies, have: Iterable[Stratum], spoken: Mapping[str, int]) -> set[Stratum]:
    """Every stratum there ought to be: rules and zones in each language that gold or the traffic has, a rule at the
    severities that it was given, else at its policy's."""
    common = {language for language, n in spoken.items() if n >= COMMON * sum(spoken.values()) and language != UNKNOWN}
    strata: set[Stratum] = set()
    for policy in policies.values():
        mine = [stratum for stratum in have if stratum.policy == policy.id]
        for language in common | {stratum.language for stratum in mine}:
            strata |= {Stratum(policy.id, zone, "", language, None) for zone in (Zone.NEAR_MISS, Zone.CLEAR)}
            strata |= _violating(policy, language, mine)
    return strata


def _violating(policy: Policy, language: str, mine: Iterable[Stratum]) -> set[Stratum]:
    given = [stratum for stratum in mine if stratum.zone is Zone.VIOLATING]
    found = set()
    for rule in policy.rule_ids:
        severities = {stratum.severity for stratum in given if stratum.rule == rule} or {policy.severity}
        found |= {Stratum(policy.id, Zone.VIOLATING, rule, language, severity) for severity in severities}
    return found


def _sums(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for key, n in pairs:
        sums[key] += n
    return dict(sorted(sums.items()))


def _shares(gaps: Mapping[str, int]) -> dict[str, float]:
    """Of the lanes, in proportion to their gaps, with at least ``RANDOM_LEAST`` at random."""
    total = sum(gaps.values())
    random = max(RANDOM_LEAST, gaps.get("random", 0) / total)
    rest = total - gaps.get("random", 0)
    shares = {lane: (1 - random) * n / rest for lane, n in gaps.items() if lane != "random"}
    return {**shares, "random": 1.0 if not rest else random}


def _least(key: str, gaps: Mapping[str, int], purposive: int, there: Mapping[str, int]) -> list[dict[str, object]]:
    """Bounds from below in proportion to the gaps, half of the picks left free; none that the lake could not meet."""
    total, quotas = sum(gaps.values()), []
    for value, gap in gaps.items():
        least = int(purposive * gap / total / 2)
        least = min(least, int(SURE * there.get(value, 0))) if there else least
        if least:
            quotas.append({"key": key, "value": value, "at_least": least})
    return quotas
