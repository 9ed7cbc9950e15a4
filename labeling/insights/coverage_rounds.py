"""A round over a cluster that gold lacks: its items that lie near no gold, spread over what they are about.

The frame is the cluster, so no pick has a ``pi``: none of them speaks for traffic. What can be picked, near-duplicates
and pairs that a round has asked about before are as in any round (``labeling.round_pool``, ``selection.select``). The
round competes with no lane of others (``labeling.purposes``); the next sync sends its tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from labeling.errors import BadMedia, Conflict, InvalidInput, NothingToDo
from labeling.insights.coverage import check_cosine, gold_of
from labeling.insights.traffic import IMAGE, SEED, drawn, everyone_in, frame_of, place_of, survey, vectors_of
from labeling.policies import Policies
from labeling.policy_rounds import write_round
from labeling.purposes import COVERAGE
from labeling.quality.coverage import NEAR, nearest
from labeling.records import PickRow, Round
from labeling.round_images import Frame as RoundFrame
from labeling.round_pool import pool_of
from labeling.scorebook import Judge, read_sheet
from labeling.store.audit_interface import Audit
from labeling.store.interfaces import Golden, ItemRegistry, Lake, Rounds, Tasks
from selection.select import select
from selection.types import Lane, Plan, Selection

LANE = "diverse"
STRATEGY = "k_means"
Images = Callable[[Sequence[str]], Mapping[str, str | BadMedia]]  # item to the hash of its media's bytes
MOST = 200_000  # items of a cluster that are looked at; a sample above


class Stores(Protocol):
    """The part of the ledger that such a round needs."""

    @property
    def items(self) -> ItemRegistry: ...

    @property
    def rounds(self) -> Rounds: ...

    @property
    def tasks(self) -> Tasks: ...

    @property
    def golden(self) -> Golden: ...

    @property
    def audit(self) -> Audit: ...


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for. ``policies`` (): all that the scorer judges. ``round_id`` "": ``coverage-<cluster>``."""

    cluster: str
    budget: int
    policies: tuple[str, ...] = ()
    overlap: int = 2
    cosine: float = NEAR
    duplicate_cosine: float | None = 0.95
    round_id: str = ""


@dataclass(frozen=True, slots=True)
class Opened:
    """``items`` of the cluster, of which ``dark`` lie near no gold that may be told; ``picks`` of these, each for
    ``people``. ``again``: the round was there."""

    round_id: str
    cluster: str
    items: int
    dark: int
    picks: tuple[PickRow, ...]
    notes: tuple[str, ...]
    again: bool
    dry_run: bool
    people: int

    @property
    def answers(self) -> int:
        """That people are asked for."""
        return len(self.picks) * self.people


def open_cluster(
    stores: Stores,
    lake: Lake,
    scorer: Judge,
    policies: Policies,
    order: Order,
    actor: str,
    *,
    dry_run: bool,
    images: Images | None = None,
) -> Opened:
    """Pick, and open the round; with ``dry_run`` nothing is written. The same order again gives the round that is
    there. ``scorer``: that of the cluster's modality; ``policies`` with the thresholds that it operates at; ``images``:
    what reads images, without which none is asked about. Raises InvalidInput, NotFound for a cluster
    that is not there, NothingToDo where nothing of it is dark, BudgetTooLarge, Conflict."""
    round_id, plan = order.round_id or f"{COVERAGE}-{order.cluster}", _plan(order, policies, scorer)
    there = next((one for one in stores.rounds.all() if one.round_id == round_id), None)
    if there is not None and not dry_run:
        return _again(there, plan, order.cluster, stores.rounds.picks(round_id))
    members = _members(stores, lake, scorer, order.cluster)
    dark = _dark(stores, lake, scorer, members, order)
    selection = _selection(stores, lake, scorer, plan, dark, order)
    picks = [
        PickRow(round_id, p.item_id, p.policy, LANE, None, p.probability, p.group, _reasons(p.reasons, order.cluster))
        for p in selection.picks
    ]
    picks, read, unread = _readable(picks, order, images)
    notes = (
        f"{len(picks)} picks of {len(dark)} dark items of {len(members)} in cluster {order.cluster}; none speaks for "
        "traffic",
        *unread,
        *selection.notes,
    )
    if not dry_run:
        frame = {**selection.frame, "cluster_items": len(members), "dark_items": len(dark), "scorer": scorer.name}
        write_round(stores, lake, round_id, SEED, plan, picks, frame, notes, scorer.version, read)
        stores.audit.add(actor, "coverage.round", round_id, {"cluster": order.cluster, "picks": len(picks)})
    return Opened(round_id, order.cluster, len(members), len(dark), tuple(picks), notes, False, dry_run, order.overlap)


def _plan(order: Order, policies: Policies, scorer: Judge) -> dict[str, object]:
    check_cosine(order.cosine)
    frame_of(order.cluster)
    for name, number in (("budget", order.budget), ("overlap", order.overlap)):
        if number < 1:
            raise InvalidInput(f"{name}: must be positive, found {number}")
    chosen = sorted(set(order.policies)) or [p for p in sorted(policies) if p in scorer.policies]
    unknown = [p for p in chosen if p not in policies or p not in scorer.policies]
    if unknown:
        known = ", ".join(p for p in sorted(policies) if p in scorer.policies)
        raise InvalidInput(f"policies: {', '.join(unknown)}: the scorer does not judge it (it judges: {known})")
    return {
        "purpose": COVERAGE,
        "cluster": order.cluster,
        "cosine": order.cosine,
        "budget": order.budget,
        "lanes": {LANE: 1.0},
        "strategy": STRATEGY,
        "overlap": order.overlap,
        "duplicate_cosine": order.duplicate_cosine,
        "quotas": [],
        "policies": {p: policies[p].version for p in chosen},
        "thresholds": {p: policies[p].threshold for p in chosen},
        "severities": {p: float(2 ** policies[p].severity) for p in chosen},
    }


def _again(there: Round, plan: Mapping[str, object], cluster: str, picks: Sequence[PickRow]) -> Opened:
    if there.plan != plan:
        raise Conflict(f"round {there.round_id!r} is there with another plan: give this one another id")
    items, dark = (int(str(there.frame[name])) for name in ("cluster_items", "dark_items"))
    people = int(str(plan["overlap"]))
    return Opened(there.round_id, cluster, items, dark, tuple(picks), there.notes, True, False, people)


def _members(stores: Stores, lake: Lake, scorer: Judge, cluster: str) -> list[str]:
    traffic = survey(stores.items, lake, scorer, frame_of(cluster))
    return drawn(everyone_in(traffic, stores.items, lake, scorer, place_of(traffic, cluster)), MOST)


def _dark(stores: Stores, lake: Lake, scorer: Judge, members: Sequence[str], order: Order) -> list[str]:
    gold = gold_of(stores.golden, lake, scorer, order.policies, frame_of(order.cluster).modality)
    cosines = nearest(vectors_of(lake, scorer, members), gold.vectors[gold.seen])
    dark = [item_id for item_id, cosine in zip(members, cosines.tolist(), strict=True) if cosine < order.cosine]
    if not dark:
        raise NothingToDo(f"cluster {order.cluster!r}: every item of it lies near gold: choose a darker one")
    return dark


def _selection(
    stores: Stores, lake: Lake, scorer: Judge, plan: Mapping[str, object], dark: Sequence[str], order: Order
) -> Selection:
    """Raises EmptyFrame, BudgetTooLarge."""
    sheet = read_sheet(lake, scorer, dark)
    modality = frame_of(order.cluster).modality
    texts = 0 if modality == IMAGE else len(sheet.ids)
    frame = RoundFrame(sheet, np.ones(sheet.probabilities.shape, np.bool_), texts, scorer, modality)
    pool = pool_of(stores, lake, plan, frame)
    thresholds, severities = plan["thresholds"], plan["severities"]
    if not isinstance(thresholds, Mapping) or not isinstance(severities, Mapping):
        raise TypeError("a plan holds thresholds and severities by policy")
    asked = Plan(
        budget=order.budget,
        seed=SEED,
        lanes=(Lane("uncertain", 1.0, STRATEGY),),
        thresholds=dict(thresholds),
        severities=dict(severities),
        duplicate_cosine=order.duplicate_cosine,
    )
    return select(pool, asked)


def _readable(
    picks: list[PickRow], order: Order, images: Images | None
) -> tuple[list[PickRow], dict[str, str], list[str]]:
    """The picks that can be shown, the hash of each picked image's bytes, and what a person should know. Raises
    NothingToDo where no picked image can be read."""
    if frame_of(order.cluster).modality != IMAGE or not picks:
        return picks, {}, []
    read = images(sorted({pick.item_id for pick in picks})) if images else {}
    hashes = {item_id: found for item_id, found in read.items() if isinstance(found, str)}
    shown = [pick for pick in picks if pick.item_id in hashes]
    if not shown:
        raise NothingToDo(f"cluster {order.cluster!r}: none of its {len(picks)} picked images can be read now")
    lost = len(picks) - len(shown)
    return shown, hashes, [f"{lost} picked images cannot be read now, so nobody is asked about them"] if lost else []


def _reasons(reasons: Sequence[str], cluster: str) -> tuple[str, ...]:
    return (f"{LANE}: dark in cluster {cluster}", *reasons)
