"""Which way leads where, for every state, tier and action there is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.errors import Conflict, InvalidInput
from labeling.golden.transitions import FROM, TIERS, moved, moves, relabelled
from labeling.records import GoldAction, GoldenItem, GoldState, Outcome, Tier
from tests.labeling.golden.made import golden_item

ITEM = golden_item("a")
ITEMS = st.builds(
    lambda tier, state: replace(ITEM, tier=tier, state=state), st.sampled_from(Tier), st.sampled_from(GoldState)
)


@given(ITEMS, st.sampled_from(sorted(FROM)))
def test_a_move_is_made_as_it_is_asked_for_or_refused(item: GoldenItem, action: GoldAction) -> None:
    if item.state not in FROM[action]:
        with pytest.raises(Conflict, match=f"cannot be {action}: it is {item.state}"):
            moved(item, action)
        return
    step = {GoldAction.PROMOTED: 1, GoldAction.DEMOTED: -1}.get(action, 0)
    if not 0 <= TIERS.index(item.tier) + step < len(TIERS):
        with pytest.raises(Conflict, match=f"its tier is {item.tier} already"):
            moved(item, action)
        return
    after = moved(item, action)
    assert TIERS.index(after.tier) - TIERS.index(item.tier) == step
    assert (after.state == item.state) == (step != 0)
    assert replace(after, tier=item.tier, state=item.state) == item


@given(ITEMS, st.sampled_from(sorted(FROM)))
def test_nothing_leads_out_of_erased_and_into_it_by_a_move(item: GoldenItem, action: GoldAction) -> None:
    with pytest.raises(Conflict, match="it is erased"):
        moved(replace(item, state=GoldState.ERASED), action)
    if item.state in FROM[action] and action in (GoldAction.RETIRED, GoldAction.RESTORED):
        assert moved(item, action).state is not GoldState.ERASED


def test_what_has_ways_of_its_own_is_no_move() -> None:
    for action in set(GoldAction) - set(FROM):
        with pytest.raises(InvalidInput, match="is none of"):
            moved(ITEM, action)


@pytest.mark.parametrize(
    ("item", "why"),
    [
        (replace(ITEM, state=GoldState.QUARANTINED, outcome=Outcome.CONTEXT_MISSING), "context_missing"),
        (replace(ITEM, state=GoldState.QUARANTINED, text=""), "its content is gone"),
    ],
)
def test_what_is_unusable_is_not_restored(item: GoldenItem, why: str) -> None:
    with pytest.raises(Conflict, match=why):
        moved(item, GoldAction.RESTORED)


def test_a_new_label_ends_stale_and_quarantined_and_not_retired() -> None:
    for state in (GoldState.STALE, GoldState.QUARANTINED):
        assert relabelled(replace(ITEM, state=state), ITEM).state is GoldState.ACTIVE
    assert relabelled(replace(ITEM, state=GoldState.RETIRED), ITEM).state is GoldState.RETIRED
    assert relabelled(None, ITEM) == ITEM


def test_a_tier_that_was_earned_stays_with_the_label_alone() -> None:
    anchor = replace(ITEM, tier=Tier.ANCHOR)
    assert relabelled(anchor, ITEM).tier is Tier.ANCHOR
    assert relabelled(anchor, replace(ITEM, severity=4)).tier is Tier.GOLDEN
    assert relabelled(anchor, replace(ITEM, policy_version="2.0.0")).tier is Tier.GOLDEN
    assert relabelled(replace(ITEM, tier=Tier.PROVISIONAL), ITEM).tier is Tier.GOLDEN


@pytest.mark.parametrize("tier", list(Tier))
@pytest.mark.parametrize("state", list(GoldState))
def test_what_a_lead_is_offered_is_what_is_not_refused(tier: Tier, state: GoldState) -> None:
    item = replace(golden_item("a"), tier=tier, state=state)
    for action in (each for each in FROM if each is not GoldAction.STALED):
        if action in moves(tier, state):
            assert moved(item, action) != item
        else:
            with pytest.raises(Conflict):
                moved(item, action)
    assert GoldAction.STALED not in moves(tier, state)
