"""Diffs by rows: they lead from one version to the other, and tell nothing of sealed answers."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.errors import NotFound
from labeling.golden.diff import applied, changes, diff, told
from labeling.golden.partition import Shares
from labeling.golden.publish import BUMPS, needed_bump, publish
from labeling.golden_records import Erratum, GoldMove
from labeling.records import GoldAction, GoldenItem, GoldState, Outcome, Partition, Tier
from tests.labeling.golden.desk import Desk
from tests.labeling.golden.made import NO, NOW, YES, golden_item

PAIRS = [(item_id, policy_id) for item_id in "abcd" for policy_id in ("harm", "other")]


def built(
    pair: tuple[str, str], outcome: Outcome, rule: str, partition: Partition, tier: Tier, version: str, state: GoldState
) -> GoldenItem:
    made = golden_item(pair[0], "", partition, policy_id=pair[1], policy_version=version, outcome=outcome, rule=rule)
    return replace(made, tier=tier, state=state)


SETS = st.lists(
    st.builds(
        built,
        st.sampled_from(PAIRS),
        st.sampled_from([Outcome.ALLOWED, Outcome.VIOLATES]),
        st.sampled_from(["threat", "slur"]),
        st.sampled_from(Partition),
        st.sampled_from(Tier),
        st.sampled_from(["1.0.0", "1.1.0"]),
        st.sampled_from([GoldState.ACTIVE, GoldState.ACTIVE, GoldState.ERASED]),
    ),
    max_size=6,
    unique_by=lambda item: (item.item_id, item.policy_id),
)


@settings(deadline=None)
@given(SETS, SETS)
def test_a_diff_applied_to_the_first_gives_the_second(first: list[GoldenItem], second: list[GoldenItem]) -> None:
    before, after = [told(item) for item in first], [told(item) for item in second]
    found = changes(before, after)
    assert applied(before, found) == applied(after, [])
    assert applied(after, changes(after, before)) == applied(before, [])
    assert changes(before, before) == changes(after, list(reversed(after))) == []
    assert all(change.kinds and change.shown for change in found)


@settings(deadline=None)
@given(SETS, SETS)
def test_of_a_sealed_row_no_answer_is_told(first: list[GoldenItem], second: list[GoldenItem]) -> None:
    for change in changes([told(item) for item in first], [told(item) for item in second]):
        if change.sealed:
            assert set(change.shown) <= {"added", "removed", "erased", "moved", "changed"}


@settings(deadline=None)
@given(SETS, SETS, SETS)
def test_a_step_is_no_greater_than_the_steps_that_lead_there(
    first: list[GoldenItem], second: list[GoldenItem], third: list[GoldenItem]
) -> None:
    def rank(before: list[GoldenItem], after: list[GoldenItem]) -> int:
        bump = needed_bump(before, after)
        return -1 if bump is None else BUMPS.index(bump)

    assert rank(first, third) <= max(rank(first, second), rank(second, third))
    assert rank(first, second) == rank(second, first)
    assert rank(first, first) == -1


@pytest.mark.parametrize(
    ("changed", "kinds"),
    [
        ({"outcome": Outcome.ALLOWED, "rule": None, "severity": None}, ("flipped",)),
        ({"rule": "slur"}, ("rule",)),
        ({"severity": 4, "tier": Tier.ANCHOR}, ("severity", "tier")),
        ({"partition": Partition.DEV}, ("moved",)),
        ({"policy_version": "2.0.0"}, ("policy",)),
        ({"votes": {"violates/threat": 3}}, ("evidence",)),
        ({"state": GoldState.ERASED}, ("erased",)),
    ],
)
def test_what_changed_has_a_name(changed: dict[str, object], kinds: tuple[str, ...]) -> None:
    item = golden_item("a")
    (change,) = changes([told(item)], [told(replace(item, **changed))])  # type: ignore[arg-type]
    assert change.kinds == kinds


def test_two_versions_of_real_labels_with_who_and_why(desk: Desk, tmp_path: Path) -> None:
    desk.shares = Shares(train=1, calibration=0, dev=0, sealed=0)
    desk.ingest({"a": ("one", 0), "b": ("two", 90), "c": ("three", 180), "d": ("four", 270)})
    golden = desk.ledger.golden
    for item_id in ("a", "b"):
        desk.label(item_id, YES)
    desk.shares = Shares(train=0, calibration=0, dev=0, sealed=1)
    desk.label("d", YES)
    publish(golden, tmp_path, NOW)
    desk.shares = Shares(train=1, calibration=0, dev=0, sealed=0)
    desk.label("a", NO, version="1.0.1")
    desk.label("d", NO, version="1.0.1")
    desk.label("c", NO)
    golden.change([GoldMove("b", "harm", golden.rows_of("b")[0].adjudication_id, GoldAction.RETIRED, "lead", "old")])
    for pair in (("a", "harm"), ("d", "harm")):
        golden.add_erratum(Erratum("1.0.0", *pair, "it quotes", "lead", NOW))
    publish(golden, tmp_path, NOW + timedelta(hours=1))
    found = diff(golden, "1.0.0", "2.0.0")
    assert found.counts == {"added": 1, "changed": 1, "flipped": 1, "policy": 1, "removed": 1}
    assert [(row["item_id"], row["kinds"]) for row in found.rows] == [
        ("a", ["flipped", "policy"]),
        ("b", ["removed"]),
        ("c", ["added"]),
        ("d", ["changed"]),
    ]
    assert [stratum["partition"] for stratum in found.strata] == ["sealed", "train"]
    why = [(one["action"], one["actor"], one["reason"]) for row in found.rows[1:2] for one in row["why"]]
    assert why == [("retired", "lead", "old")]
    assert [erratum.reason for erratum in found.errata] == ["it quotes", "withheld"]
    words = json.dumps(asdict(found)["rows"][3], default=str)
    assert "violates" not in words
    assert "allowed" not in words
    assert diff(golden, "1.0.0", "2.0.0", 1).changed == 4
    assert len(diff(golden, "1.0.0", "2.0.0", 1).rows) == 1
    assert diff(golden, "2.0.0", "2.0.0").changed == 0
    with pytest.raises(NotFound, match=r"9\.9\.9"):
        diff(golden, "1.0.0", "9.9.9")
