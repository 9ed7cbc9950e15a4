"""The golden items behind a figure: the same ones however they are looked up, and none of the closed partitions."""

from __future__ import annotations

import pytest

from labeling.golden.gold_links import GoldAsked
from labeling.golden.planner import SEEN
from labeling.golden.stale import standing
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
        found, withheld = golden_items(moved.ledger.golden, moved.lake, meant)
        assert found == [row.item_id for row in rows if row.partition in SEEN]
        assert withheld == sum(row.partition not in SEEN for row in rows)


def test_of_a_policy_that_has_none_there_are_none(exam: Shop) -> None:
    assert golden_items(exam.ledger.golden, exam.lake, GoldAsked(policy="spam")) == ([], 0)
