"""How much gold is stale, and which rows of a published version still hold."""

from __future__ import annotations

from dataclasses import replace

from labeling.golden.stale import StaleShare, stale_share, stale_shares, standing
from labeling.records import GoldenItem, GoldState, Partition
from tests.labeling.golden.made import golden_item


class Gold:
    def __init__(self, *items: GoldenItem) -> None:
        self._items = items

    def items(self, *, partition: str | None = None, policy_id: str | None = None) -> list[GoldenItem]:
        return [i for i in self._items if policy_id in (None, i.policy_id) and partition in (None, i.partition)]


STALE, RETIRED = GoldState.STALE, GoldState.RETIRED


def test_the_share_is_of_what_could_be_used() -> None:
    gold = Gold(
        golden_item("a"),
        golden_item("b", state=STALE),
        golden_item("c", partition=Partition.SEALED, state=STALE),
        golden_item("d", state=RETIRED),
        golden_item("e", state=GoldState.QUARANTINED),
        golden_item("f", policy_id="other"),
    )
    share = stale_share(gold, "harm")
    assert share == StaleShare("harm", 2, 1, {"sealed": (1, 0), "train": (1, 1)})
    assert share.share == 2 / 3
    assert stale_share(gold, "other").share == 0.0
    assert stale_share(gold, "nobody").share == 0.0
    assert stale_shares(gold.items()) == [share]


def test_a_frozen_row_stands_while_its_label_does() -> None:
    frozen = [golden_item(name) for name in "abcde"]
    now = [
        frozen[0],
        replace(frozen[1], state=STALE),
        replace(frozen[2], state=RETIRED),
        replace(frozen[3], policy_version="1.1.0"),
    ]
    assert [row.item_id for row in standing(frozen, now)] == ["a", "e"]  # e was erased: its text is gone
