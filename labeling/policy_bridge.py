"""Bridges: a sample of all items labelled under both versions of a policy, so that figures before and after compare.

Drawn from every text of the frozen lake that may be judged under the policy, in proportion to how close the model is to
the operating threshold, with a floor (``selection.flips.bridge_draw``): pi of each is known. An item that was judged
under the old version, or under one whose label holds under it, brings its old side along; the others are asked under
both, by a round for each side. The old side's answers label nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from labeling.errors import NotFound, NothingToDo
from labeling.figures import Origin, link
from labeling.golden.newest import newest_name
from labeling.policies import Policy
from labeling.policy_rounds import DECIDED, GoldStores, open_up, plan_for, waiting, write_round
from labeling.policy_versions import History, by_policy, holds, parts
from labeling.purposes import BRIDGE, NEW, OLD, purpose
from labeling.quality.intervals import ENOUGH, FEW, INSUFFICIENT, Figure
from labeling.records import Adjudication, Outcome, PickRow, Round, RoundState
from labeling.scorebook import LakeScorer, read_sheet
from labeling.store.interfaces import Golden, Lake, Rounds
from selection.estimation import hajek
from selection.flips import UNSURE, bridge_draw
from selection.hashing import F64, key
from selection.uncertainty import threshold_utility

LANE = "risk"  # its rule: in proportion to a size, with a floor
FLOOR = 0.5  # share of the draw that is even: a flip far from the threshold must be found too
TEMPERATURE = 1.0
TEXT = "text"
LICENCE = "population: the items of the frame, weighted by inclusion probability"
UNFINISHED = "none yet: {n} of the sample are not answered on both sides, and those that are may differ from them"
DIRECTIONS = ("flips", "to_violates", "to_allowed", "rule_changes")
Final = tuple[Outcome, str | None]


@dataclass(frozen=True, slots=True)
class Opened:
    """A bridge that was opened: its two rounds ("" where a side needs nobody), the ``sample`` of ``frame`` items, and
    how many of either side had an answer already."""

    policy_id: str
    old_version: str
    new_version: str
    old_round: str
    new_round: str
    sample: int
    frame: int
    old_known: int
    new_known: int


@dataclass(frozen=True, slots=True)
class BridgeReport:
    """What a bridge says. ``answered`` of the ``sample`` have a yes or a no on both sides; ``undecided`` lack the
    context on one; ``waiting`` are not answered yet; ``lost`` never will be (erased, withdrawn). ``figures``: share of
    the frame's items of which the outcome flips, by direction, and that violate under both by another rule."""

    policy_id: str
    old_version: str
    new_version: str
    frame: int
    sample: int
    answered: int
    undecided: int
    waiting: int
    lost: int
    figures: dict[str, Figure]
    licence: str
    golden_version: str

    def as_dict(self) -> dict[str, object]:
        """JSON-able; each figure carries licence and versions, so that it can be quoted by itself."""
        versions = f"{self.old_version}, {self.new_version}"
        items = link(f"/v1/policies/{self.policy_id}/bridge/items", version=self.new_version)
        origin = Origin(self.licence, self.golden_version, versions, items)
        told = {name: origin.of(figure.as_dict()) for name, figure in self.figures.items()}
        return {**asdict(self), "figures": told}


def open_bridge(
    stores: GoldStores,
    lake: Lake,
    history: History,
    policies: tuple[Policy, Policy],
    scorer: LakeScorer | None,
    *,
    size: int,
    overlap: int,
) -> Opened:
    """Draw and ask. ``policies``: as they were before, and as they are in force. ``scorer``: None where none has scored
    them, so that all items are drawn alike. Raises NothingToDo when there is no item, or the bridge is there already
    (a killed process's is gone on with)."""
    old, new = policies
    if kept := _sides(stores.rounds, NEW, new.id, new.version):
        raise NothingToDo(f"the bridge of {new.id} {new.version} is there already: round {kept[0].round_id}")
    sample = _begun(stores.rounds, new) or _drawn(stores, lake, scorer, policies, size)
    known = {
        OLD: _finals(stores.golden, history, old.version, sample.drawn),
        NEW: _finals(stores.golden, history, new.version, sample.drawn, carried=False),
    }
    for side, policy in ((OLD, old), (NEW, new)):
        if side == OLD and sample.begun:
            open_up(stores.rounds, f"{sample.stem}-{OLD}")
        else:
            _ask(stores, lake, sample, side, policy, new.version, known[side], overlap)
    return Opened(
        policy_id=new.id,
        old_version=old.version,
        new_version=new.version,
        old_round=f"{sample.stem}-{OLD}",
        new_round=f"{sample.stem}-{NEW}",
        sample=len(sample.drawn),
        frame=sample.frame,
        old_known=len(known[OLD]),
        new_known=len(known[NEW]),
    )


@dataclass(frozen=True, slots=True)
class _Sample:
    """``drawn`` items with their pi, out of ``frame``; ``begun``: the old side was written by a killed process."""

    stem: str
    frame: int
    drawn: dict[str, float]
    old_version: str
    begun: bool = False


def _begun(rounds: Rounds, new: Policy) -> _Sample | None:
    """What a killed process left: an old side without its new one."""
    left = _sides(rounds, OLD, new.id, new.version)
    if not left:
        return None
    told, stem = left[0].frame, left[0].round_id.removesuffix(f"-{OLD}")
    return _Sample(stem, int(str(told["frame"])), _sample_of(left[0]), str(told["old_version"]), begun=True)


def _drawn(
    stores: GoldStores, lake: Lake, scorer: LakeScorer | None, policies: tuple[Policy, Policy], size: int
) -> _Sample:
    old, new = policies
    ids = _frame(stores, lake, new.id)
    if not ids:
        raise NothingToDo(f"no text may be judged under {new.id}: ingest items before a bridge is drawn")
    stem = f"bridge-{new.id}-{new.version}"
    taken_names = {round_.round_id.removesuffix(f"-{NEW}").removesuffix(f"-{OLD}") for round_ in stores.rounds.all()}
    number = 1
    while (name := stem if number == 1 else f"{stem}-{number}") in taken_names:
        number += 1
    close = _closeness(lake, scorer, new, ids)
    taken, pi = bridge_draw(ids, close, min(size, len(ids)), FLOOR, _seed(name))
    return _Sample(name, len(ids), {ids[i]: float(pi[i]) for i in np.flatnonzero(taken)}, old.version)


def _seed(stem: str) -> int:
    return key(stem) % 2**31


def _ask(
    stores: GoldStores,
    lake: Lake,
    sample: _Sample,
    side: str,
    policy: Policy,
    new_version: str,
    known: Collection[str],
    overlap: int,
) -> None:
    """Write the round of one side."""
    busy = waiting(stores.tasks, policy.id, policy.version)
    asked = sorted(item_id for item_id in sample.drawn if item_id not in known and item_id not in busy)
    name = f"{sample.stem}-{side}"
    reason = (f"{BRIDGE}: {side} side",)
    picks = [PickRow(name, i, policy.id, LANE, sample.drawn[i], UNSURE, i, reason) for i in asked]
    plan = plan_for(BRIDGE, policy, LANE, len(asked), overlap, side=side, new_version=new_version)
    told = {"frame": sample.frame, "floor": FLOOR, "sample": sample.drawn, "old_version": sample.old_version}
    note = f"{len(sample.drawn)} of {sample.frame} items; {len(asked)} are asked under {policy.version}"
    write_round(stores, lake, name, _seed(sample.stem), plan, picks, told, [note])


def bridge_report(stores: GoldStores, policy_id: str, version: str = "") -> BridgeReport:
    """What the bridge to ``version`` (default: the newest that has one) says so far. Raises NotFound."""
    round_ = _newest(stores.rounds, policy_id, version)
    history = by_policy(stores.policies.all())[policy_id]
    new_version, old_version = str(round_.plan["new_version"]), str(round_.frame["old_version"])
    drawn = _sample_of(round_)
    before = _finals(stores.golden, history, old_version, drawn)
    now = _finals(stores.golden, history, new_version, drawn, carried=False)
    both = sorted(item_id for item_id in drawn if item_id in before and item_id in now)
    decided = [i for i in both if before[i][0] in DECIDED and now[i][0] in DECIDED]
    open_ids = waiting(stores.tasks, policy_id, old_version) | waiting(stores.tasks, policy_id, new_version)
    missing = [item_id for item_id in drawn if item_id not in both]
    unanswered = sum(item_id in open_ids for item_id in missing)
    return BridgeReport(
        policy_id=policy_id,
        old_version=old_version,
        new_version=new_version,
        frame=int(str(round_.frame["frame"])),
        sample=len(drawn),
        answered=len(decided),
        undecided=len(both) - len(decided),
        waiting=unanswered,
        lost=len(missing) - unanswered,
        figures=_figures([(before[i], now[i]) for i in decided], [drawn[i] for i in decided], done=not unanswered),
        licence=UNFINISHED.format(n=unanswered) if unanswered else LICENCE,
        golden_version=newest_name(stores.golden),
    )


def bridge_items(rounds: Rounds, policy_id: str, version: str = "") -> list[str]:
    """The items that such a bridge was drawn over, sorted. Raises NotFound."""
    return sorted(_sample_of(_newest(rounds, policy_id, version)))


def _newest(rounds: Rounds, policy_id: str, version: str) -> Round:
    """The new side's round of the newest bridge to a version ("": to any). Raises NotFound."""
    found = _sides(rounds, NEW, policy_id, version)
    if not found:
        where = f" to {version}" if version else ""
        raise NotFound(f"policy {policy_id!r} has no bridge{where} yet: open one (goldfold policy bridge --open)")
    return max(found, key=lambda r: parts(str(r.plan["new_version"])))


def _sides(rounds: Rounds, side: str, policy_id: str, version: str) -> list[Round]:
    """The rounds of one side of a policy's bridge to a version ("": to any) that are whole and not cancelled."""
    found = [r for r in rounds.all() if purpose(r) == BRIDGE and r.plan["side"] == side and _asks(r, policy_id)]
    whole = [r for r in found if r.state not in (RoundState.PLANNED, RoundState.CANCELLED)]
    return [r for r in whole if version in ("", r.plan["new_version"])]


def _asks(round_: Round, policy_id: str) -> bool:
    planned = round_.plan["policies"]
    return isinstance(planned, Mapping) and policy_id in planned


def _sample_of(round_: Round) -> dict[str, float]:
    """Item to pi, as the frame keeps it."""
    told = round_.frame["sample"]
    return {str(item_id): float(pi) for item_id, pi in told.items()} if isinstance(told, Mapping) else {}


def _frame(stores: GoldStores, lake: Lake, policy_id: str) -> tuple[str, ...]:
    """The texts that may be judged under a policy, sorted."""
    ids = stores.items.ids(stores.items.last_lake_version(), TEXT)
    told = lake.take(ids, ["policies"])["policies"].to_pylist() if ids else []
    return tuple(item_id for item_id, only in zip(ids, told, strict=True) if not only or policy_id in only)


def _closeness(lake: Lake, scorer: LakeScorer | None, policy: Policy, ids: Sequence[str]) -> F64:
    """(n,) ``exp(-|logit p - logit tau|)``, NaN where there is no score."""
    found: F64 = np.full(len(ids), np.nan)
    if scorer is None or policy.id not in scorer.policies:
        return found
    sheet = read_sheet(lake, scorer, ids)
    places = {item_id: place for place, item_id in enumerate(ids)}
    rows = [places[item_id] for item_id in sheet.ids]
    column = sheet.probabilities[:, sheet.policies.index(policy.id)].astype(np.float64)
    found[rows] = threshold_utility(column, np.full(len(column), policy.threshold), TEMPERATURE)
    return found


def _finals(
    golden: Golden, history: History, version: str, wanted: Mapping[str, float], *, carried: bool = True
) -> dict[str, Final]:
    """By item, what was decided last under a version; ``carried``: or under an older one whose label holds under it by
    the kinds of what changed between. The new side may not rest on that, since it is what the bridge tests."""
    found: dict[str, Adjudication] = {}
    policy_id = history[-1].policy_id
    for final in golden.adjudications():
        if final.policy_id != policy_id or final.item_id not in wanted or parts(final.policy_version) > parts(version):
            continue
        answer = final.answer
        same = final.policy_version == version
        if not same and not (carried and holds(history, final.policy_version, answer.outcome, answer.rule, version)):
            continue
        held = found.get(final.item_id)
        if held is None or parts(final.policy_version) >= parts(held.policy_version):
            found[final.item_id] = final
    return {item_id: (final.answer.outcome, final.answer.rule) for item_id, final in found.items()}


def _figures(pairs: Sequence[tuple[Final, Final]], pi: Sequence[float], *, done: bool) -> dict[str, Figure]:
    hits: dict[str, list[bool]] = {name: [] for name in DIRECTIONS}
    for (before, rule), (now, new_rule) in pairs:
        hits["flips"].append(before is not now)
        hits["to_violates"].append(before is Outcome.ALLOWED and now is Outcome.VIOLATES)
        hits["to_allowed"].append(before is Outcome.VIOLATES and now is Outcome.ALLOWED)
        hits["rule_changes"].append(before is now is Outcome.VIOLATES and rule != new_rule)
    return {name: _share(said, pi, done=done) for name, said in hits.items()}


def _share(said: Sequence[bool], pi: Sequence[float], *, done: bool) -> Figure:
    if not said:
        return Figure(None, 0.0, 1.0, 0, 0, "none", INSUFFICIENT)
    found = hajek(said, pi)
    enough = done and found.n > FEW
    verdict = ENOUGH if enough else INSUFFICIENT
    value = found.value if enough else None
    return Figure(value, found.low, found.high, found.n, found.positives, f"hajek, {found.method}", verdict)
