from __future__ import annotations

import pytest

from labeling.errors import LeakError
from labeling.golden.leaks import EVALUATION, refuse_leaks
from labeling.golden.near import Sources
from labeling.golden.partition import Shares
from labeling.golden.regroup import Regrouped, regroup
from labeling.golden.vectors import no_vectors
from labeling.pictures import no_pictures
from labeling.records import Partition
from tests.labeling.golden.desk import Desk
from tests.labeling.golden.made import NO, YES
from tests.labeling.golden.test_partition import Angles

ALL_TRAIN = Shares(train=1, calibration=0, dev=0, sealed=0)
ALL_SEALED = Shares(train=0, calibration=0, dev=0, sealed=1)


def later(desk: Desk) -> Angles:
    """Gold as it was folded, and the embeddings that came after."""
    desk.ingest({"a": ("one", 0), "b": ("two", 60), "c": ("three", 120), "d": ("four", 180)})
    desk.shares = ALL_TRAIN
    for item_id in ("a", "c", "d"):
        desk.label(item_id, YES)
    desk.label("a", NO, policy_id="other")
    desk.shares = ALL_SEALED
    desk.label("b", NO)
    return Angles({"a": 0, "b": 10, "c": 20, "d": 180})


def test_groups_that_are_near_by_now_merge_to_the_protected_side_and_the_leak_is_gone(desk: Desk) -> None:
    angles = later(desk)
    before = {row.item_id: row for row in desk.ledger.golden.items()}

    def check() -> None:
        rows = desk.ledger.golden.items()
        training = [row for row in rows if row.partition is Partition.TRAIN]
        refuse_leaks(training, [row for row in rows if row.partition in EVALUATION], angles, 0.95)

    with pytest.raises(LeakError, match="goldfold golden regroup"):
        check()
    sources = Sources.at(0.95, angles, no_pictures)
    assert regroup(desk.ledger.golden, sources) == Regrouped(merged=2, rows=3)
    after = {row.item_id: row for row in desk.ledger.golden.items()}
    assert {item_id for item_id, row in after.items() if row.partition is Partition.SEALED} == {"a", "b", "c"}
    assert after["b"] == before["b"]
    assert after["d"] == before["d"]
    check()
    assert regroup(desk.ledger.golden, sources) == Regrouped(merged=0, rows=0)


def test_where_nothing_is_near_nothing_moves(desk: Desk) -> None:
    later(desk)
    before = desk.ledger.golden.items()
    assert regroup(desk.ledger.golden, Sources.at(0.95, no_vectors, no_pictures)) == Regrouped(merged=0, rows=0)
    assert desk.ledger.golden.items() == before


def test_an_empty_set_has_no_groups(desk: Desk) -> None:
    assert regroup(desk.ledger.golden, Sources.at(1.0, no_vectors, no_pictures)) == Regrouped(merged=0, rows=0)
