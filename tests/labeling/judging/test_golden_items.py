"""The golden items behind a figure: the same ones however they are looked up, and none of the closed partitions."""

from __future__ import annotations

import pytest

from labeling.golden.gold_links import GoldAsked
from labeling.golden.planner import SEEN
from labeling.golden.stale import standing
from labeling.item_pages import ItemPage
from labeling.judging.golden_items import golden_items
from labeling.records import GoldAction, GoldenItem, GoldState, Partition
from labeling.standing import change
from tests.labeling.shop import Shop

ASKED = [
    GoldAsked(version=version, partition=partition, policy="fraud", state=state)
    for version in ("", "0.1.0")
    for partition in (None, Partition.TRAIN, Partition.DEV, Partition.SEALED)
    for state in (None, GoldState.ACTIVE)
]


@pytest.fixture
def moved(exam: Shop) -> Shop:
    """A row of each of two partitions was retired since the version."""
    for partition in (Partition.TRAIN, Partition.SEALED):
        gone = exam.ledger.golden.items(partition=partition)[0]
        change(exam.ledger, gone.item_id, gone.policy_id, GoldAction.RETIRED, actor="lead", reason="posted no more")
    return exam


def _plainly(shop: Shop, asked: GoldAsked) -> list[GoldenItem]:
    """By looking at all there is."""
    now = shop.ledger.golden.items()
    rows = standing(shop.ledger.golden.members(asked.version), now) if asked.version else now
    return [row for row in rows if asked.partition in (None, row.partition) and asked.state in (None, row.state)]


def test_they_are_those_that_hold_and_closed_ones_are_counted(moved: Shop) -> None:
    (version,) = (each.version for each in moved.ledger.golden.versions())
    for asked in ASKED:
        meant = GoldAsked(version if asked.version else "", asked.partition, asked.policy, state=asked.state)
        rows = _plainly(moved, meant)
        page = golden_items(moved.ledger, moved.lake, meant, limit=1000)
        wanted = [row.item_id for row in rows if row.partition in SEEN]
        assert [item.item_id for item in page.items] == wanted
        assert (page.count, page.next) == (len(wanted), None)
        assert page.withheld == sum(row.partition not in SEEN for row in rows)
        assert _paged(moved, meant) == wanted


def _paged(shop: Shop, meant: GoldAsked) -> list[str]:
    """Seven at a time."""
    found, after = list[str](), ""
    while True:
        page = golden_items(shop.ledger, shop.lake, meant, after, 7)
        found += [item.item_id for item in page.items]
        if page.next is None:
            return found
        assert len(page.items) == 7
        after = page.next


def test_of_a_policy_that_has_none_there_are_none(exam: Shop) -> None:
    assert golden_items(exam.ledger, exam.lake, GoldAsked(policy="spam")) == ItemPage((), 0, None)
