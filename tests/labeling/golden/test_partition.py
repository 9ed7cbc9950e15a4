from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.errors import InvalidInput
from labeling.golden.partition import PROTECTION, Groups, Shares, most_protected, partition_of
from labeling.golden.vectors import F32
from labeling.records import GoldenItem, Partition
from selection.near.bones import bones
from tests.labeling.golden.made import golden_item

THIRDS = Shares(train=0.4, calibration=0.1, dev=0.2, sealed=0.2, anchor=0.1)
COSINE = 0.9


class Angles:
    """Vectors on the unit circle: angles in degrees by item id."""

    def __init__(self, degrees: dict[str, float]) -> None:
        self._degrees = degrees

    def __call__(self, item_ids: Sequence[str]) -> dict[str, F32]:
        turns = {i: np.deg2rad(self._degrees[i]) for i in item_ids if i in self._degrees}
        return {i: np.array([np.cos(t), np.sin(t)], np.float32) for i, t in turns.items()}


class Book:
    """Golden rows as the ledger keeps them, and the folding of more."""

    def __init__(self, angles: Angles, shares: Shares = THIRDS) -> None:
        self.rows: dict[str, GoldenItem] = {}
        self.angles = angles
        self.shares = shares
        self.groups = Groups((), angles, COSINE, shares)

    def fold(self, item_id: str, text: str) -> None:
        placed = self.groups.place(item_id, text)
        for key, row in self.rows.items():
            if row.group_id in placed.merged:
                self.rows[key] = replace(row, group_id=placed.group_id, partition=placed.partition)
        row = golden_item(item_id, text, placed.partition, group_id=placed.group_id)
        self.rows[item_id] = row
        self.groups.accept(item_id, text, placed)

    def reopen(self) -> None:
        self.groups = Groups(self.rows.values(), self.angles, COSINE, self.shares)


CONTENT = st.lists(
    st.tuples(st.sampled_from(["one", "ONE", "two", "tw\u200bo", "three", "four", "five", "six"]), st.integers(0, 359)),
    max_size=14,
)


@settings(deadline=None, max_examples=150)
@given(CONTENT, st.integers(0, 14))
def test_growth_keeps_groups_whole_and_evaluation_out_of_training(
    content: list[tuple[str, int]], reopened_at: int
) -> None:
    book = Book(Angles({f"i{n}": angle for n, (_, angle) in enumerate(content)}))
    for n, (text, _) in enumerate(content):
        before = dict(book.rows)
        if n == reopened_at:
            book.reopen()
        book.fold(f"i{n}", text)
        spans: dict[str, set[Partition]] = {}
        for row in book.rows.values():
            spans.setdefault(row.group_id, set()).add(row.partition)
        assert all(len(partitions) == 1 for partitions in spans.values())
        for key, old in before.items():
            new = book.rows[key].partition
            assert PROTECTION.index(new) <= PROTECTION.index(old.partition)
            if old.partition is Partition.SEALED:
                assert new is Partition.SEALED


@settings(deadline=None, max_examples=150)
@given(CONTENT)
def test_groups_are_the_connected_components_of_near_duplicates(content: list[tuple[str, int]]) -> None:
    angles = {f"i{n}": float(angle) for n, (_, angle) in enumerate(content)}
    texts = {f"i{n}": text for n, (text, _) in enumerate(content)}
    book = Book(Angles(angles))
    for item_id, text in texts.items():
        book.fold(item_id, text)
    found: dict[str, set[str]] = {}
    for row in book.rows.values():
        found.setdefault(row.group_id, set()).add(row.item_id)
    assert sorted(map(sorted, found.values())) == sorted(map(sorted, _components(texts, angles)))


def _components(texts: dict[str, str], angles: dict[str, float]) -> list[set[str]]:
    components: list[set[str]] = []
    for item in texts:
        near = [c for c in components if any(_close(item, other, texts, angles) for other in c)]
        components = [c for c in components if c not in near] + [{item}.union(*near)]
    return components


def _close(one: str, two: str, texts: dict[str, str], angles: dict[str, float]) -> bool:
    cosine = np.cos(np.deg2rad(angles[one] - angles[two]))
    return bones(texts[one]) == bones(texts[two]) or bool(cosine >= COSINE)


def test_a_merge_takes_the_protected_side() -> None:
    rows = [
        golden_item("a", "alpha", Partition.TRAIN, group_id="ga"),
        golden_item("b", "beta", Partition.SEALED, group_id="gb"),
        golden_item("c", "gamma", Partition.DEV, group_id="gc"),
    ]
    groups = Groups(rows, Angles({"a": 0, "b": 40, "new": 20}), COSINE)
    placed = groups.place("new", "delta")
    assert (placed.group_id, placed.partition, placed.merged) == ("gb", Partition.SEALED, ("ga",))
    assert groups.place("new", "delta") == placed
    groups.accept("new", "delta", placed)
    assert {groups.group_of(i) for i in ("a", "b", "new")} == {"gb"}
    assert groups.partition("ga") is Partition.SEALED
    assert groups.place("later", "ALPHA").group_id == "gb"


def test_without_a_vector_the_text_alone_decides() -> None:
    groups = Groups([golden_item("a", "some words", Partition.DEV, group_id="ga")], Angles({}), COSINE)
    assert groups.place("b", "Some  WORDS").group_id == "ga"
    assert groups.place("b", "other words").group_id != "ga"


def test_the_same_item_under_another_policy_stays_in_its_group() -> None:
    groups = Groups([golden_item("a", "alpha", Partition.SEALED, group_id="ga")], cosine=COSINE)
    assert groups.place("a", "alpha").group_id == "ga"


def test_a_group_outlives_its_erased_founder() -> None:
    fresh = Groups().place("a", "alpha")
    erased = replace(golden_item("a", "x", Partition.SEALED, group_id=fresh.group_id), text="")
    assert Groups([erased]).place("b", "alpha").partition is Partition.SEALED


def test_shares_are_met_and_do_not_depend_on_anything_else() -> None:
    drawn = [partition_of(f"group-{i}", Shares()) for i in range(4000)]
    assert drawn == [partition_of(f"group-{i}", Shares()) for i in range(4000)]
    assert drawn.count(Partition.TRAIN) == pytest.approx(2400, abs=120)
    assert drawn.count(Partition.SEALED) == pytest.approx(400, abs=80)
    assert drawn.count(Partition.ANCHOR) == 0


def test_changed_shares_move_no_old_group() -> None:
    row = golden_item("a", "alpha", Partition.SEALED, group_id="ga")
    everything_trains = Shares(train=1, calibration=0, dev=0, sealed=0)
    groups = Groups([row], shares=everything_trains)
    assert groups.place("b", "Alpha").partition is Partition.SEALED
    assert groups.place("c", "beta").partition is Partition.TRAIN


@pytest.mark.parametrize(("train", "field"), [(0.7, "add up to"), (1.2, "shares.train"), (-0.1, "shares.train")])
def test_shares_that_make_no_sense_are_refused(train: float, field: str) -> None:
    with pytest.raises(InvalidInput, match=field):
        Shares(train=train)


def test_protection_order() -> None:
    assert most_protected([Partition.TRAIN, Partition.DEV]) is Partition.DEV
    assert set(PROTECTION) == set(Partition)
