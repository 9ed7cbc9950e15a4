"""What the lanes of past rounds brought: the saving ledger, the forecast, and what both say about the next round.

An answer to an item of the partitions ``sealed`` and ``anchor`` is counted as withheld and never looked at; what may
move a pick (``advise``) looks at ``train`` alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Protocol

from labeling.consensus import vote_key
from labeling.errors import NothingToDo
from labeling.figures import Origin, link, versions_of
from labeling.golden.gold_links import GoldAsked
from labeling.golden.newest import UNPUBLISHED, newest_name
from labeling.golden.text import IMAGE, TEXT
from labeling.purposes import purpose
from labeling.quality.forecast import Forecast, Point, Z, forecast
from labeling.quality.intervals import Figure, proportion
from labeling.quality.lift import Lift, label_lift
from labeling.records import Adjudication, GoldenItem, GoldState, Outcome, Partition, Round, RoundState
from labeling.round_thresholds import thresholds_of
from labeling.store.interfaces import Golden, Models, Rounds
from selection.types import RELABEL

TOLD = (Partition.TRAIN, Partition.CALIBRATION, Partition.DEV)  # whose answers a figure may count
LICENCE = "sample: the picks of these rounds, no population claim"
AHEAD = "sample: models judged on dev, no population claim; the curve is drawn on, which errs on the high side"
WHERE = "/v1/yield/items"
ALL = ""  # the policy of a row that counts every policy
RANDOM = "random"


class Answers(Protocol):
    """The part of the ledger that knows what was picked and what became of it."""

    @property
    def rounds(self) -> Rounds: ...

    @property
    def golden(self) -> Golden: ...


class Stores(Answers, Protocol):
    """The part of the ledger that yields are read from."""

    @property
    def models(self) -> Models: ...


@dataclass(frozen=True, slots=True)
class LaneYield:
    """One lane under one policy (``ALL``: all of them), over one round or several. ``picks`` were made; of these
    ``settled`` have a final answer that may be counted and ``withheld`` one that may not. ``violating`` and ``changed``
    (the answer is not what the model would have decided) are shares of those with a yes or a no, ``gold`` of all
    settled. ``lift`` is None for the random arm itself and for second looks. ``flipped``: of the settled second looks,
    the share that changed the label (outcome or rule; the others confirmed it); None for other lanes. All of them speak
    for the picks, not for traffic."""

    lane: str
    policy: str
    picks: int
    settled: int
    withheld: int
    violating: Figure
    changed: Figure
    gold: Figure
    lift: Lift | None
    flipped: Figure | None = None

    versions: str = ""

    def as_dict(self, golden_version: str, rounds: Sequence[str] | None) -> dict[str, object]:
        """JSON-able. ``rounds``: that are told of, None: every closed one."""
        about = {"round_id": rounds, "lane": self.lane, "policy": self.policy or None}
        told = asdict(self) | {"lift": None if self.lift is None else self.lift.as_dict()}
        told.pop("versions")
        return Origin(LICENCE, golden_version, self.versions, link(WHERE, **about)).within(told)


@dataclass(frozen=True, slots=True)
class Yields:
    """The lanes of ``rounds``, all policies together first; ``forecast``: what more labels are worth."""

    rounds: tuple[str, ...]
    lanes: tuple[LaneYield, ...]
    forecast: Forecast
    cost_per_label: float | None = None
    golden_version: str = UNPUBLISHED
    is_one: bool = False

    def as_dict(self) -> dict[str, object]:
        """JSON-able; each figure can be quoted by itself."""
        named = self.rounds if self.is_one else None
        versions = ", ".join(sorted({lane.versions for lane in self.lanes if lane.policy}))
        dev = GoldAsked(partition=Partition.DEV, judging=True).link()
        return {
            "rounds": list(self.rounds),
            "cost_per_label": self.cost_per_label,
            "lanes": [lane.as_dict(self.golden_version, named) for lane in self.lanes],
            "forecast": Origin(AHEAD, self.golden_version, versions, dev).of(asdict(self.forecast)),
        }


Tally = dict[tuple[str, str], Counter[str]]  # (lane, policy) to counts


def yields(
    stores: Stores, round_id: str | None = None, *, cost_per_label: float | None = None, more: int = 500
) -> Yields:
    """Of one round, or of every closed one. Raises NotFound, and NothingToDo when no round is closed yet."""
    chosen = [stores.rounds.get(round_id)] if round_id is not None else closed_rounds(stores.rounds)
    if not chosen:
        raise NothingToDo("no round is closed yet: its answers come first (goldfold sync)")
    counts = tally(stores, chosen, TOLD)
    keys = sorted(counts, key=lambda key: (key[1] != ALL, key[1], key[0]))
    versions = _versions(chosen)
    rows = [replace(_row(key, counts, cost_per_label), versions=_told_versions(versions, key[1])) for key in keys]
    return Yields(
        rounds=tuple(one.round_id for one in chosen),
        lanes=tuple(rows),
        forecast=forecast(curve(stores), more),
        cost_per_label=cost_per_label,
        golden_version=newest_name(stores.golden),
        is_one=round_id is not None,
    )


def picked_items(stores: Answers, round_ids: Sequence[str], lane: str, policy: str = ALL) -> list[str]:
    """The settled picks of a lane that are told of, sorted; of these rounds, or of every closed one. Raises
    NotFound."""
    rounds = [stores.rounds.get(name) for name in round_ids] if round_ids else closed_rounds(stores.rounds)
    partitions = {(row.item_id, row.policy_id): row.partition for row in stores.golden.items()}
    settled = {(final.round_id, final.item_id, final.policy_id) for final in stores.golden.adjudications()}
    return sorted(
        {
            pick.item_id
            for round_ in rounds
            for pick in stores.rounds.picks(round_.round_id)
            if lane in ("", pick.lane)
            and policy in (ALL, pick.policy_id)
            and (round_.round_id, pick.item_id, pick.policy_id) in settled
            and partitions.get((pick.item_id, pick.policy_id)) in TOLD
        }
    )


def _versions(rounds: Sequence[Round]) -> set[tuple[str, str]]:
    """The policies with the versions that these rounds asked under."""
    planned = [round_.plan.get("policies") for round_ in rounds]
    return {(str(p), str(v)) for one in planned if isinstance(one, Mapping) for p, v in one.items()}


def _told_versions(versions: Collection[tuple[str, str]], policy: str) -> str:
    return versions_of(pair for pair in versions if policy in (ALL, pair[0]))


def closed_rounds(rounds: Rounds) -> list[Round]:
    """Oldest first; not those that follow a change of policy, whose lanes compete with no other."""
    return [round_ for round_ in rounds.all() if round_.state is RoundState.CLOSED and purpose(round_) == ""]


def tally(stores: Answers, rounds: Sequence[Round], partitions: Collection[Partition]) -> Tally:
    """Counts by lane and policy, and by lane over all policies; answers outside ``partitions`` are ``withheld``."""
    golden = {(row.item_id, row.policy_id): row for row in stores.golden.items()}
    finals = stores.golden.adjudications()
    final = {(a.round_id, a.item_id, a.policy_id): a for a in finals}
    before = _before(finals)
    counts: Tally = {}
    for round_ in rounds:
        taus = {kind: thresholds_of(round_.plan, kind) for kind in (TEXT, IMAGE)}
        for pick in stores.rounds.picks(round_.round_id):
            answer = final.get((round_.round_id, pick.item_id, pick.policy_id))
            row = golden.get((pick.item_id, pick.policy_id))
            told = Counter(picks=1)
            if answer is not None and (row is None or row.partition not in partitions):
                told["withheld"] = 1
            elif answer is not None and row is not None:
                flagged = pick.probability >= taus[row.modality][pick.policy_id]
                told.update(_of_answer(answer, row, flagged=flagged))
                if pick.lane == RELABEL:
                    told = _second_look(told, answer, before.get(answer.adjudication_id))
            for policy in (pick.policy_id, ALL):
                counts.setdefault((pick.lane, policy), Counter()).update(told)
    return counts


def _before(finals: Sequence[Adjudication]) -> dict[str, Adjudication]:
    """By adjudication id, the answer that stood before, of ``finals`` oldest first."""
    found: dict[str, Adjudication] = {}
    last: dict[tuple[str, str], Adjudication] = {}
    for final in finals:
        pair = (final.item_id, final.policy_id)
        if pair in last:
            found[final.adjudication_id] = last[pair]
        last[pair] = final
    return found


def _of_answer(final: Adjudication, row: GoldenItem, *, flagged: bool) -> dict[str, int]:
    outcome = final.answer.outcome
    decided = outcome is not Outcome.CONTEXT_MISSING
    violates = outcome is Outcome.VIOLATES
    changed = decided and flagged is not violates
    gold = _stands(final, row)
    return {
        "settled": 1,
        "decided": int(decided),
        "violating": int(violates),
        "changed": int(changed),
        "gold": int(gold),
        "useful": int(gold and (changed or violates)),
    }


def _second_look(told: Counter[str], final: Adjudication, before: Adjudication | None) -> Counter[str]:
    """Its counts: a second look is useful where it changed the label, since what it confirms was gold before."""
    flipped = int(before is not None and vote_key(before.answer) != vote_key(final.answer))
    return Counter({**told, "flipped": flipped, "useful": flipped * told["gold"]})


def _stands(final: Adjudication, row: GoldenItem) -> bool:
    """Is what was decided gold now: by itself, or confirmed by a second look since?"""
    same = row.adjudication_id == final.adjudication_id or (row.outcome, row.rule) == (
        final.answer.outcome,
        final.answer.rule,
    )
    return same and row.state is GoldState.ACTIVE


def _row(key: tuple[str, str], counts: Tally, cost_per_label: float | None) -> LaneYield:
    lane, policy = key
    mine, random = counts[key], counts.get((RANDOM, policy), Counter())
    beside = (mine["violating"], mine["decided"], random["violating"], random["decided"])
    return LaneYield(
        lane=lane,
        policy=policy,
        picks=mine["picks"],
        settled=mine["settled"],
        withheld=mine["withheld"],
        violating=proportion(mine["violating"], mine["decided"]),
        changed=proportion(mine["changed"], mine["decided"]),
        gold=proportion(mine["gold"], mine["settled"]),
        lift=None if lane in (RANDOM, RELABEL) else label_lift(*beside, cost_per_label),
        flipped=proportion(mine["flipped"], mine["settled"]) if lane == RELABEL else None,
    )


def curve(stores: Stores) -> list[Point]:
    """The learning curve: of each judged model the mean AUPRC over the policies that every one of them has a figure
    for, oldest first, against the labels of its train partition."""
    sizes = {version.version: version.counts.get(Partition.TRAIN, 0) for version in stores.golden.versions()}
    judged = [(m, found) for m in stores.models.all() if (found := _auprc(m.metrics)) and m.golden_version in sizes]
    if not judged:
        return []
    common = sorted(set.intersection(*(set(found) for _, found in judged)))
    return [
        Point(
            labels=sizes[model.golden_version],
            score=sum(found[p][0] for p in common) / len(common),
            error=sum(found[p][1] ** 2 for p in common) ** 0.5 / len(common),
        )
        for model, found in judged
        if common
    ]


def _auprc(metrics: Mapping[str, object]) -> dict[str, tuple[float, float]]:
    """Policy to AUPRC and its standard error, where ``evaluate`` found one."""
    policies = metrics.get("policies")
    found: dict[str, tuple[float, float]] = {}
    for policy, figures in policies.items() if isinstance(policies, Mapping) else ():
        figure = figures["auprc"]
        if figure["value"] is not None:
            found[str(policy)] = (float(figure["value"]), (float(figure["high"]) - float(figure["low"])) / (2 * Z))
    return found
