"""Relabel rounds: stale gold, asked again, blind, under the policy version in force.

Ordered by the chance of a flip times severity (``selection.flips``), since a budget may not reach all of it. The model
speaks of gold of the partition ``train`` alone: what judges a model must not be chosen by what a model thinks of it.

A policy that comes from others by a split or a merge has no gold of its own: it is asked about what was decided under
them. A new label is an adjudication of its own and a new state of the golden item; the item keeps its partition, and
the lane and pi by which it came.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from labeling.errors import Conflict, NothingToDo
from labeling.golden.stale import touched
from labeling.policies import Policy
from labeling.policy_rounds import DECIDED, GoldStores, free_id, open_up, plan_for, waiting, write_round
from labeling.policy_versions import ChangeKind, History, PolicyVersion, by_policy
from labeling.purposes import RELABELS, purpose
from labeling.records import GoldenItem, GoldState, Outcome, Partition, PickRow, Round
from labeling.scorebook import LakeScorer, read_sheet
from labeling.store.interfaces import Golden, Lake
from selection.flips import UNSURE, flip_chances, flip_order
from selection.hashing import F64
from selection.strategies.pointwise import adjusted
from selection.types import RELABEL

SEED = 0  # nothing is drawn
Chances = Mapping[str, float]  # by item, that it violates, 0.5 at the operating threshold


@dataclass(frozen=True, slots=True)
class Wanted:
    """A label that is to be given again, with the chance that it turns, its severity (0..4), and where it came from:
    ``policy_id`` is another one's where that was split or merged."""

    item: GoldenItem
    chance: float
    severity: int


def model_chances(lake: Lake, scorer: LakeScorer, policy: Policy, items: Sequence[GoldenItem]) -> dict[str, float]:
    """What the scorer, calibration included, says of those items of ``train`` that it has scored; it reads nothing of
    the others. Empty where it does not judge the policy."""
    if policy.id not in scorer.policies:
        return {}
    ids = sorted({item.item_id for item in items if item.partition is Partition.TRAIN})
    sheet = read_sheet(lake, scorer, ids) if ids else None
    if sheet is None or not sheet.ids:
        return {}
    column = sheet.probabilities[:, sheet.policies.index(policy.id)].astype(np.float64)
    told = adjusted(column[:, None], np.array([policy.threshold]))[:, 0]
    return dict(zip(sheet.ids, told.tolist(), strict=True))


def touched_items(stores: GoldStores, policy_id: str) -> list[GoldenItem]:
    """What a relabel round of the policy may ask about, as it is labelled now; sorted by item."""
    return asked_again(stores, by_policy(stores.policies.all()).get(policy_id, []))


def asked_again(stores: GoldStores, history: History) -> list[GoldenItem]:
    """The same of any history, whose newest version may be one that is only planned."""
    if not history or history[-1].is_retired:
        return []
    policy_id = history[-1].policy_id
    busy = waiting(stores.tasks, policy_id, history[-1].version)
    own = stores.golden.items(policy_id=policy_id)
    moved = {item.item_id for item, to in touched(history, own) if to is GoldState.STALE}
    stale = [item for item in own if item.state is GoldState.STALE or item.item_id in moved]
    seeds = _seeds(stores.golden, history, {item.item_id for item in own})
    there = stores.items.by_id([item.item_id for item in (*stale, *seeds)])
    found = {item.item_id: item for item in (*seeds, *stale) if item.item_id in there and item.item_id not in busy}
    return [found[item_id] for item_id in sorted(found)]


def _seeds(golden: Golden, history: History, known: set[str]) -> list[GoldenItem]:
    """Of the policies that this one comes from: what was decided, and is not known under this one yet. Of a split, the
    violations of the rules that it took."""
    found: dict[str, GoldenItem] = {}
    for change in history:
        for name in change.predecessors:
            for item in golden.items(policy_id=name):
                if item.item_id not in known and _is_seed(change, item):
                    held = found.setdefault(item.item_id, item)
                    if item.outcome is Outcome.VIOLATES and held.outcome is not Outcome.VIOLATES:
                        found[item.item_id] = item
    return list(found.values())


def _is_seed(change: PolicyVersion, item: GoldenItem) -> bool:
    if item.state not in (GoldState.ACTIVE, GoldState.STALE, GoldState.RETIRED) or item.outcome not in DECIDED:
        return False
    if ChangeKind.MERGE in change.kinds:
        return True
    return item.outcome is Outcome.VIOLATES and (not change.rules or item.rule is None or item.rule in change.rules)


def ranked(policy: Policy, items: Sequence[GoldenItem], chances: Chances) -> list[Wanted]:
    """The items by the chance of a flip times severity, the largest first. A violation has its own severity, what was
    allowed that of the policy."""
    votes, against = (np.array([n[i] for n in map(_votes, items)], np.int64) for i in (0, 1))
    told: F64 = np.array([chances.get(item.item_id, np.nan) for item in items], np.float64)
    heard = np.array([item.partition is Partition.TRAIN for item in items], np.bool_)
    violates = np.array([item.outcome is Outcome.VIOLATES for item in items], np.bool_)
    flips = flip_chances(violates, told, votes, against, heard)
    levels = [policy.severity if item.severity is None else item.severity for item in items]
    order = flip_order(tuple(item.item_id for item in items), flips, np.array(levels, np.int64))
    return [Wanted(items[i], float(flips[i]), levels[i]) for i in order]


def _votes(item: GoldenItem) -> tuple[int, int]:
    """People who said yes or no, and those of them who said another outcome than the label."""
    said = Counter[str]()
    for key, count in item.votes.items():
        said[key.partition("/")[0]] += count
    decided = sum(said[outcome.value] for outcome in DECIDED)
    return decided, decided - min(decided, said[item.outcome.value])


def open_relabel(
    stores: GoldStores,
    lake: Lake,
    policy: Policy,
    chances: Chances,
    *,
    budget: int,
    overlap: int,
    round_id: str = "",
    scorer_version: str = "",
) -> Round:
    """Open a round over at most ``budget`` of the policy's stale labels. ``chances``: of ``model_chances``. Raises
    NothingToDo when nothing is stale, or all of it is being asked already, Conflict when the id is taken."""
    for left in stores.rounds.all():  # by a process that was killed
        if purpose(left):
            open_up(stores.rounds, left.round_id)
    items = touched_items(stores, policy.id)
    if not items:
        raise NothingToDo(f"policy {policy.id!r} has no stale label that is not being asked again already")
    if round_id and round_id in {round_.round_id for round_ in stores.rounds.all()}:
        raise Conflict(f"round {round_id!r} is there already; use another id")
    wanted = ranked(policy, items, chances)[:budget]
    name = round_id or free_id(stores.rounds, f"relabel-{policy.id}-{policy.version}")
    heard = sum(one.item.partition is Partition.TRAIN and one.item.item_id in chances for one in wanted)
    frame: dict[str, object] = {"stale": len(items), "by_model": heard}
    plan = plan_for(RELABELS, policy, RELABEL, len(wanted), overlap)
    picks = [_pick(name, policy, one, chances) for one in wanted]
    images = {item.item_id: item.content_hash for item in items if item.modality != "text"}
    notes = _notes(policy, items, wanted, heard)
    return write_round(stores, lake, name, SEED, plan, picks, frame, notes, scorer_version, images)


def _pick(round_id: str, policy: Policy, wanted: Wanted, chances: Chances) -> PickRow:
    """Nothing of it tells a label: sealed ones are among them."""
    item = wanted.item
    reason = f"{RELABEL}: policy {policy.id} is {policy.version} now"
    if item.partition is Partition.TRAIN:
        reason += f"; chance of a flip {wanted.chance:.2f}, severity S{wanted.severity}"
    probability = chances.get(item.item_id, UNSURE) if item.partition is Partition.TRAIN else UNSURE
    return PickRow(round_id, item.item_id, policy.id, RELABEL, None, probability, item.item_id, (reason,))


def _notes(policy: Policy, items: Sequence[GoldenItem], wanted: Sequence[Wanted], heard: int) -> tuple[str, ...]:
    more = len(items) - len(wanted)
    notes = [f"{len(wanted)} of {len(items)} stale labels of {policy.id}, by the chance of a flip times severity"]
    if more:
        notes.append(f"{more} stay stale for now: goldfold policy relabel {policy.id} asks about the next")
    train = sum(one.item.partition is Partition.TRAIN for one in wanted)
    if heard < train:
        notes.append(f"{train - heard} of {train} labels of the partition train have no score, so votes alone speak")
    return tuple(notes)
