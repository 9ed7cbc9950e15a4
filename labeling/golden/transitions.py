"""Tiers and states of a golden item: which way leads where, and what refuses one.

``provisional -> golden -> anchor`` goes one tier at a time, upwards only while the item is active. Whether the evidence
suffices for a tier is told by ``labeling.standing``; here is only what may follow what.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from labeling.errors import Conflict, InvalidInput
from labeling.golden.text import has_content
from labeling.records import GoldAction, GoldenItem, GoldState, Outcome, Tier

TIERS = (Tier.PROVISIONAL, Tier.GOLDEN, Tier.ANCHOR)
_USED = frozenset({GoldState.ACTIVE, GoldState.STALE, GoldState.QUARANTINED})
FROM: Mapping[GoldAction, frozenset[GoldState]] = {
    GoldAction.PROMOTED: frozenset({GoldState.ACTIVE}),
    GoldAction.DEMOTED: _USED,
    GoldAction.STALED: frozenset({GoldState.ACTIVE}),
    GoldAction.QUARANTINED: frozenset({GoldState.ACTIVE, GoldState.STALE}),
    GoldAction.RETIRED: _USED,
    GoldAction.RESTORED: frozenset({GoldState.STALE, GoldState.QUARANTINED, GoldState.RETIRED}),
}
_INTO: Mapping[GoldAction, GoldState] = {
    GoldAction.STALED: GoldState.STALE,
    GoldAction.QUARANTINED: GoldState.QUARANTINED,
    GoldAction.RETIRED: GoldState.RETIRED,
    GoldAction.RESTORED: GoldState.ACTIVE,
}


def moves(tier: Tier, state: GoldState) -> tuple[GoldAction, ...]:
    """What a lead may do with an item of that tier and state, as far as these two tell (``labeling.standing`` knows
    whether the evidence suffices)."""
    ends = {GoldAction.PROMOTED: TIERS[-1], GoldAction.DEMOTED: TIERS[0]}
    by_hand = (action for action in FROM if action is not GoldAction.STALED)
    return tuple(action for action in by_hand if state in FROM[action] and ends.get(action) != tier)


def moved(item: GoldenItem, action: GoldAction) -> GoldenItem:
    """The item after ``action``. Raises Conflict when the item's tier or state does not allow it, InvalidInput for an
    action that is no move (folding, relabelling, regrouping and erasing have ways of their own)."""
    if action not in FROM:
        raise InvalidInput(f"action: {action} is none of {', '.join(FROM)}")
    if item.state not in FROM[action]:
        _refuse(item, action, f"it is {item.state}; only what is {' or '.join(sorted(FROM[action]))} can be")
    if action is GoldAction.RESTORED:
        _check_usable(item)
    if action in _INTO:
        return replace(item, state=_INTO[action])
    place = TIERS.index(item.tier) + (1 if action is GoldAction.PROMOTED else -1)
    if not 0 <= place < len(TIERS):
        _refuse(item, action, f"its tier is {item.tier} already, the {'highest' if place else 'lowest'}")
    return replace(item, tier=TIERS[place])


def relabelled(before: GoldenItem | None, item: GoldenItem) -> GoldenItem:
    """``item`` as it is folded over the row ``before``: what was retired stays retired, and a tier that was earned
    stays where the label does. A new answer ends ``stale`` and ``quarantined``."""
    if before is None:
        return item
    if before.state is GoldState.RETIRED:
        item = replace(item, state=GoldState.RETIRED)
    same = _label(before) == _label(item)
    return replace(item, tier=max(before.tier, item.tier, key=TIERS.index)) if same else item


def _label(item: GoldenItem) -> tuple[object, ...]:
    return item.policy_version, item.outcome, item.rule, item.severity


def _check_usable(item: GoldenItem) -> None:
    if item.outcome is Outcome.CONTEXT_MISSING:
        _refuse(item, GoldAction.RESTORED, "its answer is context_missing, which is no gold; have it labelled again")
    if not has_content(item):
        _refuse(item, GoldAction.RESTORED, "its content is gone; bring it in anew and have it labelled again")


def _refuse(item: GoldenItem, action: GoldAction, why: str) -> None:
    raise Conflict(f"golden item {item.external_id!r} under {item.policy_id!r} cannot be {action}: {why}")
