"""How far a policy's stale gold has been labelled again, and which labels still wait for it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from labeling.golden.stale import stale_share
from labeling.policies import Policy
from labeling.policy_preview import Asked, asked, chances_of
from labeling.policy_publish import history_of
from labeling.policy_relabel import ranked, touched_items
from labeling.policy_rounds import GoldStores
from labeling.policy_versions import parts
from labeling.purposes import RELABELS, purpose
from labeling.records import Adjudication, GoldenItem, GoldState, Partition, Round
from labeling.scorebook import LakeScorer
from labeling.store.interfaces import Lake


@dataclass(frozen=True, slots=True)
class StaleRow:
    """A label that waits to be given again: that of an item under ``policy``, which is another one where that was split
    or merged. ``chance``: that it turns; ``severity``: 0..4. No round asks about it yet."""

    external_id: str
    policy: str
    policy_version: str
    language: str
    partition: str
    tier: str
    outcome: str
    rule: str | None
    chance: float
    severity: int


@dataclass(frozen=True, slots=True)
class StaleList:
    """``rows`` in the order in which the next relabel round asks about them, cut at a limit, out of ``unasked``. So
    many of these are ``sealed``: they are asked too, and not named, since it would tell their labels."""

    policy_id: str
    unasked: int
    sealed: int
    rows: tuple[StaleRow, ...]


@dataclass(frozen=True, slots=True)
class RoundProgress:
    """One relabel round: its ``labels``, its tasks by state, and how many of the labels given again ``flipped``, of
    those that can be ``compared``: not sealed, and labelled under this policy before."""

    round_id: str
    state: str
    policy_version: str
    labels: int
    tasks: dict[str, int]
    compared: int
    flipped: int


@dataclass(frozen=True, slots=True)
class Progress:
    """``stale`` labels beside ``active`` ones, by partition too (``[stale, active]``); ``asked`` of the stale ones by a
    round, ``waiting`` for none yet, sealed ones included; ``left``: what these others would bring and cost."""

    policy_id: str
    version: str
    stale: int
    active: int
    by_partition: dict[str, tuple[int, int]]
    asked: int
    waiting: int
    left: Asked
    rounds: tuple[RoundProgress, ...]


def stale_list(
    stores: GoldStores, lake: Lake, policy: Policy, scorer: LakeScorer | None, limit: int = 200
) -> StaleList:
    """The stale labels of a policy, as it is in force, that nobody is asked about yet."""
    items = touched_items(stores, policy.id)
    told = [item for item in items if item.partition is not Partition.SEALED]
    wanted = ranked(policy, told, chances_of(lake, policy, told, scorer)) if told else []
    rows = tuple(_row(one.item, one.chance, one.severity) for one in wanted[:limit])
    return StaleList(policy.id, len(items), len(items) - len(told), rows)


def _row(item: GoldenItem, chance: float, severity: int) -> StaleRow:
    return StaleRow(
        external_id=item.external_id,
        policy=item.policy_id,
        policy_version=item.policy_version,
        language=item.language,
        partition=item.partition.value,
        tier=item.tier.value,
        outcome=item.outcome.value,
        rule=item.rule,
        chance=round(chance, 4),
        severity=severity,
    )


def progress(stores: GoldStores, lake: Lake, policy: Policy, scorer: LakeScorer | None, overlap: int) -> Progress:
    """How far relabelling is. ``policy``: its newest version; ``overlap``: how many people give a label. Raises
    NotFound."""
    newest = history_of(stores, policy.id)[-1]
    share = stale_share(stores.golden, policy.id)
    left = touched_items(stores, policy.id)
    stale_left = sum(item.policy_id == policy.id and item.state is GoldState.STALE for item in left)
    told = [item for item in left if item.partition is not Partition.SEALED]
    return Progress(
        policy_id=policy.id,
        version=newest.version,
        stale=share.stale,
        active=share.active,
        by_partition=share.by_partition,
        asked=share.stale - stale_left,
        waiting=len(left),
        left=asked(lake, policy, told, scorer, overlap),
        rounds=_rounds(stores, policy.id),
    )


def _rounds(stores: GoldStores, policy_id: str) -> tuple[RoundProgress, ...]:
    mine = [r for r in stores.rounds.all() if purpose(r) == RELABELS and policy_id in _versions(r)]
    if not mine:
        return ()
    finals = [final for final in stores.golden.adjudications() if final.policy_id == policy_id]
    sealed = {item.item_id for item in stores.golden.items(partition=Partition.SEALED)}
    return tuple(_round(stores, round_, policy_id, finals, sealed) for round_ in mine)


def _round(
    stores: GoldStores, round_: Round, policy_id: str, finals: Sequence[Adjudication], sealed: Collection[str]
) -> RoundProgress:
    version = _versions(round_)[policy_id]
    now = {final.item_id: final for final in finals if final.round_id == round_.round_id}
    before = _newest_before(finals, version)
    compared = [item_id for item_id in now if item_id in before and item_id not in sealed]
    return RoundProgress(
        round_id=round_.round_id,
        state=round_.state.value,
        policy_version=version,
        labels=len(stores.rounds.picks(round_.round_id)),
        tasks=stores.tasks.counts(round_.round_id),
        compared=len(compared),
        flipped=sum(now[item_id].answer.outcome is not before[item_id].answer.outcome for item_id in compared),
    )


def _newest_before(finals: Sequence[Adjudication], version: str) -> dict[str, Adjudication]:
    """By item, what was decided last under a version below ``version``."""
    found: dict[str, Adjudication] = {}
    for final in finals:
        held = found.get(final.item_id)
        older = parts(final.policy_version) < parts(version)
        if older and (held is None or parts(final.policy_version) >= parts(held.policy_version)):
            found[final.item_id] = final
    return found


def _versions(round_: Round) -> Mapping[str, str]:
    planned = round_.plan.get("policies")
    return {str(name): str(version) for name, version in planned.items()} if isinstance(planned, Mapping) else {}
