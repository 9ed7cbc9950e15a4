from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.errors import InvalidInput
from labeling.golden.leaks import EVALUATION, find_leaks
from labeling.golden.near import Signals, Sources, Subject
from labeling.golden.partition import PROTECTION, Groups, Shares, most_protected, partition_of
from labeling.golden.text import content_hash
from labeling.golden.vectors import F32
from labeling.records import GoldenItem, Partition
from selection.near.bones import letters
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

    def __init__(self, angles: Angles, shares: Shares = THIRDS, pictures: Pictures | None = None) -> None:
        self.rows: dict[str, GoldenItem] = {}
        self.angles = angles
        self.shares = shares
        self.pictures = pictures or Pictures({})
        self.reopen()

    def fold(self, item_id: str, text: str) -> None:
        placed = self.groups.place(item_id, text)
        for key, row in self.rows.items():
            if row.group_id in placed.merged:
                self.rows[key] = replace(row, group_id=placed.group_id, partition=placed.partition)
        row = golden_item(item_id, text, placed.partition, group_id=placed.group_id)
        self.rows[item_id] = row
        self.groups.accept(item_id, text, placed)

    def reopen(self) -> None:
        self.groups = Groups(self.rows.values(), self.angles, COSINE, self.shares, self.pictures)


class Pictures:
    """Perceptual hashes by item id."""

    def __init__(self, hashes: dict[str, int]) -> None:
        self._hashes = hashes

    def __call__(self, item_ids: Sequence[str]) -> dict[str, np.uint64]:
        return {i: np.uint64(self._hashes[i]) for i in item_ids if i in self._hashes}


CONTENT = st.lists(
    st.tuples(st.sampled_from(["one", "ONE", "two", "tw\u200bo", "three", "four", "five", "six"]), st.integers(0, 359)),
    max_size=14,
)


@settings(deadline=None, max_examples=40)
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


@settings(deadline=None, max_examples=40)
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
    return letters(texts[one]) == letters(texts[two]) or bool(cosine >= COSINE)


@settings(deadline=None, max_examples=30)
@given(CONTENT, st.sets(st.integers(0, 13)))
def test_what_is_read_ahead_is_placed_as_what_is_not(content: list[tuple[str, int]], ahead: set[int]) -> None:
    told = [(f"i{n}", text) for n, (text, _) in enumerate(content)]
    angles = Angles({f"i{n}": float(angle) for n, (_, angle) in enumerate(content) if n % 3})
    read, unread = Book(angles), Book(angles)
    known = [Subject(name, text, content_hash(text)) for n, (name, text) in enumerate(told) if n in ahead]
    read.groups.read_ahead(known)
    for name, text in told:
        read.fold(name, text)
        unread.fold(name, text)
    assert read.rows == unread.rows


TEXTS = [
    "they should all be sent away before the winter comes",
    "They  should ALL be sent away before the winter comes!!",
    "thеу shоuld аll bе sеnt аwау bеfоrе thе wintеr соmеs",
    "they should all be sent away before the summer comes",  # close to the first by runs of characters
    "they should all be sent home before the summer is over",  # and this one to the one before, at most
    "what a lovely garden you have planted behind the house",
    "w h a t a lovely garden you have planted behind the house \U0001f602",
    "the train to the coast leaves at nine in the morning",
]
ITEMS = st.lists(
    st.tuples(
        st.sampled_from(TEXTS), st.none() | st.integers(0, 359), st.sampled_from([None, 0, 0xFF00, 0xFF0F, 7 << 40])
    ),
    max_size=9,
)


@settings(deadline=None, max_examples=30)
@given(ITEMS, st.randoms(use_true_random=False))
def test_whatever_the_order_nothing_leaks_and_the_groups_are_the_same(
    content: list[tuple[str, int | None, int | None]], random: Random
) -> None:
    """Of the same items in another order the groups are the same, and so is the partition of those whose members all
    found the same group (equal letters or pictures); of others it depends on who came first, or nothing could stay."""
    names = [f"i{n}" for n in range(len(content))]
    told = dict(zip(names, content, strict=True))
    angles = Angles({name: float(angle) for name, (_, angle, _) in told.items() if angle is not None})
    pictures = Pictures({name: picture for name, (_, _, picture) in told.items() if picture is not None})
    sources = Sources.at(COSINE, angles, pictures)
    signals = Signals.of([Subject(name, text, "") for name, (text, _, _) in told.items()], sources)
    founders = {name: signals.founder(row) for row, name in enumerate(names)}
    seen: list[dict[frozenset[str], Partition]] = []
    for _ in range(2):
        book, order = Book(angles, THIRDS, pictures), list(told.items())
        random.shuffle(order)
        for name, (text, _, _) in order:
            sealed = {row.item_id for row in book.rows.values() if row.partition is Partition.SEALED}
            if random.random() < 0.2:
                book.reopen()
            book.fold(name, text)
            assert all(book.rows[item_id].partition is Partition.SEALED for item_id in sealed)
        rows = list(book.rows.values())
        training = [row for row in rows if row.partition is Partition.TRAIN]
        exams = [row for row in rows if row.partition in EVALUATION]
        assert find_leaks(training, exams, angles, COSINE, pictures) == []
        members: dict[str, list[GoldenItem]] = {}
        for row in rows:
            members.setdefault(row.group_id, []).append(row)
        assert all(len({row.partition for row in group}) == 1 for group in members.values())
        seen.append({frozenset(row.item_id for row in group): group[0].partition for group in members.values()})
    assert set(seen[0]) == set(seen[1])
    alike = {group for group in seen[0] if len({founders[name] for name in group}) == 1}
    assert {group: seen[0][group] for group in alike} == {group: seen[1][group] for group in alike}


def test_two_sealed_groups_that_merge_stay_sealed_and_so_does_an_anchor_beside_one() -> None:
    rows = [
        golden_item("a", "alpha", Partition.SEALED, group_id="gb"),
        golden_item("b", "beta", Partition.SEALED, group_id="ga"),
        golden_item("c", "gamma", Partition.ANCHOR, group_id="g0"),
    ]
    groups = Groups(rows, Angles({"a": 0, "b": 40, "c": 20, "new": 20}), COSINE)
    placed = groups.place("new", "delta")
    assert (placed.group_id, placed.partition, placed.merged) == ("ga", Partition.SEALED, ("g0", "gb"))


def test_pictures_join_and_their_captions_do_not() -> None:
    seen = Pictures({"a": 0xFF00FF00, "b": 0xFF00FF0F, "c": 0x0F0F << 32, "d": 0})
    row = replace(golden_item("a", "so funny", Partition.DEV, group_id="ga"), content_hash="that of its bytes")
    groups = Groups([row], pictures=seen)
    assert groups.place("b", "other words").group_id == "ga"
    assert groups.place("c", "so funny", "that of other bytes").group_id != "ga"
    blank = groups.place("d", "so funny", "the hash of its bytes")
    assert blank.group_id != "ga"  # "a" is compared by its picture, and has no caption as far as others go
    groups.accept("d", "so funny", blank, "the hash of its bytes")
    assert groups.place("e", "else", "the hash of its bytes").group_id == blank.group_id


def test_items_without_anything_to_compare_are_alone() -> None:
    groups, seen = Groups(pictures=Pictures({"a": 0, "b": 0})), []
    for name in ("a", "b", "c"):
        placed = groups.place(name, "")
        groups.accept(name, "", placed)
        seen.append(placed.group_id)
    assert len(set(seen)) == 3
    assert groups.place("a", "").group_id == seen[0]


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
