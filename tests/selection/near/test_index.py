from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selection.errors import BadPool
from selection.near.bones import letters
from selection.near.grouping import Closeness
from selection.near.index import Items, NearDuplicates
from selection.types import F32
from tests.selection.near.made import Kept, by_hand, grown, named, shared

WORDS = st.lists(st.sampled_from(["buy", "cheap", "pills", "now", "at", "once", "friend", "ПИЛЮЛИ"]), max_size=7)
MARKS = st.sampled_from([" ", "  ", "-", " \u200b", " \U0001f602 ", "... "])
TEXT = st.builds(lambda words, mark: mark.join(words), WORDS, MARKS)
TEXTS = st.lists(TEXT, min_size=1, max_size=24)
CUTS = st.lists(st.integers(0, 24), max_size=3)


def groups(index: NearDuplicates, ids: Sequence[str]) -> set[frozenset[str]]:
    labels = index.labels(ids).tolist()
    return {frozenset(i for i, own in zip(ids, labels, strict=True) if own == label) for label in labels}


def slow(texts: Sequence[str], jaccard: float) -> set[frozenset[str]]:
    """Groups of texts by comparing all with all."""
    forms = [letters(text) for text in texts]

    def close(i: int, j: int) -> bool:
        return bool(forms[i] and forms[j]) and shared(forms[i], forms[j]) >= jaccard

    labels, ids = by_hand(len(texts), close), named(len(texts))
    return {frozenset(i for i, own in zip(ids, labels, strict=True) if own == label) for label in labels}


@settings(deadline=None)
@given(TEXTS, CUTS)
def test_batches_give_the_answer_of_one_go(texts: list[str], cuts: list[int]) -> None:
    whole, _ = grown(texts)
    parts, _ = grown(texts, cuts=[min(cut, len(texts)) for cut in cuts])
    ids = named(len(texts))
    assert groups(parts, ids) == groups(whole, ids)


@settings(deadline=None)
@given(TEXTS, st.randoms(use_true_random=False))
def test_order_changes_nothing(texts: list[str], random: Any) -> None:
    index, kept = grown(texts)
    order = random.sample(range(len(texts)), len(texts))
    ids = named(len(texts))
    other = NearDuplicates()
    other.add(Items([ids[row] for row in order], [texts[row] for row in order]), kept)
    assert groups(other, ids) == groups(index, ids)
    assert other.names(ids) == index.names(ids)


@settings(deadline=None)
@given(TEXTS)
def test_what_is_joined_is_close_and_equal_letters_always_are(texts: list[str]) -> None:
    """Tables may miss a pair near the threshold; they never add one."""
    index, _ = grown(texts)
    ids = named(len(texts))
    found, right = groups(index, ids), slow(texts, 0.7)
    assert all(any(part <= group for group in right) for part in found)
    assert all(any(part <= group for group in found) for part in slow(texts, 1.0))
    assert all(any(part <= group for group in found) for part in slow(texts, 0.9))


@settings(deadline=None)
@given(TEXTS, CUTS, st.sets(st.integers(0, 23)))
def test_removed_items_leave_no_trace(texts: list[str], cuts: list[int], gone: set[int]) -> None:
    index, kept = grown(texts, cuts=[min(cut, len(texts)) for cut in cuts])
    ids = named(len(texts))
    gone = {row for row in gone if row < len(texts)}
    index.remove([ids[row] for row in gone], kept)
    stay = [row for row in range(len(texts)) if row not in gone]
    never = NearDuplicates()
    never.add(Items([ids[row] for row in stay], [texts[row] for row in stay]), kept)
    left = [ids[row] for row in stay]
    assert sorted(index.ids) == left
    assert groups(index, left) == groups(never, left)


@settings(deadline=None)
@given(st.integers(0, 9999), CUTS, st.sets(st.integers(0, 19)))
def test_embeddings_grow_and_shrink_the_same(seed: int, cuts: list[int], gone: set[int]) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((20, 3)).astype(np.float32)
    vectors[rng.integers(0, 20, 5)] = vectors[0]
    vectors[rng.integers(0, 20, 3)] = 0
    ids = named(20)
    index, kept = grown(vectors=vectors, cuts=[min(cut, 20) for cut in cuts])
    index.remove([ids[row] for row in gone], kept)
    stay = [row for row in range(20) if row not in gone]
    lengths = np.linalg.norm(vectors, axis=1)

    def close(i: int, j: int) -> bool:
        one, two = stay[i], stay[j]
        product = float(vectors[one] @ vectors[two])
        return bool(lengths[one] * lengths[two] > 0) and product / (lengths[one] * lengths[two]) >= 0.95

    labels = by_hand(len(stay), close)
    expected = {frozenset(ids[stay[i]] for i, own in enumerate(labels) if own == label) for label in labels}
    assert groups(index, [ids[row] for row in stay]) == expected


def test_many_embeddings_go_through_the_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selection.near.grouping.EXACT_ROWS", 10)
    rng = np.random.default_rng(0)
    first = rng.standard_normal((400, 32))
    copies = first + 0.05 * rng.standard_normal(first.shape)
    vectors = np.concatenate([first, copies]).astype(np.float32)
    index, kept = grown(vectors=vectors, cuts=[300, 500])
    labels = index.labels(named(800))
    assert np.mean(labels[400:] == np.arange(400)) >= 0.99
    assert labels[:400].tolist() == list(range(400))
    assert kept.read < 1200


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 9999), CUTS)
def test_pictures_are_grouped_exactly(seed: int, cuts: list[int]) -> None:
    rng = np.random.default_rng(seed)
    hashes = rng.integers(0, 2**64, 24, dtype=np.uint64)
    for row in range(8, 24):
        hashes[row] = hashes[rng.integers(0, 8)]
        for bit in rng.choice(64, rng.integers(0, 7), replace=False):
            hashes[row] ^= np.uint64(1) << np.uint64(bit)
    hashes[rng.integers(0, 24, 2)] = 0
    index, _ = grown(pictures=hashes, cuts=cuts)

    def close(i: int, j: int) -> bool:
        return bool(hashes[i] and hashes[j]) and int(np.bitwise_count(hashes[i] ^ hashes[j])) <= 4

    assert index.labels(named(24)).tolist() == by_hand(24, close)


def test_any_signal_joins_and_chains_are_one_group() -> None:
    texts = ["free money for everybody", "FREE  money... for everybody!", "something else entirely", ""]
    vectors = np.array([[1, 0], [0, 1], [0.01, 1], [-1, 0]], np.float32)
    pictures = np.array([0, 0, 7, 5], np.uint64)
    index, _ = grown(texts, vectors, pictures, cuts=[2])
    ids = named(4)
    assert index.labels(ids).tolist() == [0, 0, 0, 0]
    assert index.names(ids) == ["item-00000"] * 4


def test_texts_that_say_nothing_stay_alone() -> None:
    index, kept = grown(["", " ", "\u200b", "a", "A"])
    assert index.labels(named(5)).tolist() == [0, 1, 2, 3, 3]
    index.remove(["item-00003"], kept)
    assert index.labels(["item-00000", "item-00004"]).tolist() == [0, 3]


def test_a_flood_of_copies_is_one_group() -> None:
    """Far more near-copies in one bucket than are compared with each other."""
    rng = np.random.default_rng(0)
    flood = [f"buy the very best pills in the whole wide world today {rng.integers(10**6)}" for _ in range(2000)]
    index, _ = grown(flood, cuts=[500, 501, 1500])
    assert len(np.unique(index.labels(named(2000)))) == 1


def test_only_equal_ones_where_closeness_says_so() -> None:
    texts = [
        "a long enough text about nothing",
        "A LONG enough text, about nothing",
        "a long enough text about notting",
    ]
    vectors = np.array([[1, 0], [0, 1], [0.001, 1]], np.float32)
    index, _ = grown(texts, vectors, closeness=Closeness(cosine=1.0, jaccard=1.0, distance=0))
    assert index.labels(named(3)).tolist() == [0, 0, 2]


def test_state_survives_and_goes_on_growing() -> None:
    rng = np.random.default_rng(3)
    vectors = rng.standard_normal((40, 8)).astype(np.float32)
    texts = [f"text {row // 2} of its own kind, number {row // 2}" for row in range(40)]
    ids = named(40)
    index, kept = grown(texts[:30], vectors[:30])
    again = NearDuplicates.from_arrays(index.arrays(), Closeness())
    for grows in (index, again):
        grows.add(Items(ids[30:], texts[30:], vectors[30:]), Kept(dict(zip(ids, texts, strict=True)), kept.embedded))
    assert again.ids == index.ids
    np.testing.assert_array_equal(again.labels(ids), index.labels(ids))
    assert all(array.dtype != np.object_ for array in index.arrays().values())


def test_state_that_is_not_whole_is_refused() -> None:
    index, _ = grown(["one text", "another one", "a third text"])
    state = index.arrays()
    broken: list[dict[str, Any]] = [
        {**state, "groups": state["groups"][:2]},
        {**state, "groups": np.array([0, 2, 2])},
        {**state, "texts-hashes": state["texts-hashes"].astype(np.int64)},
        {key: value for key, value in state.items() if key != "texts-codes"},
    ]
    for bad in broken:
        with pytest.raises(BadPool, match="build it anew"):
            NearDuplicates.from_arrays(bad, Closeness())
    with pytest.raises(BadPool, match="another closeness"):
        NearDuplicates.from_arrays(state, Closeness(jaccard=0.8))


def test_changed_embeddings_are_told() -> None:
    vectors = np.eye(3, dtype=np.float32)
    index, _ = grown(vectors=vectors)
    moved: F32 = vectors.copy()
    moved[1] = 0
    assert index.changed(named(3), moved) == ["item-00001"]


@pytest.mark.parametrize(
    ("items", "message"),
    [
        (Items(["a", "a"], ["x", "y"]), "twice"),
        (Items(["item-00000"], ["x"]), "already"),
        (Items(["a"], ["x", "y"]), "texts"),
        (Items(["a"], vectors=np.zeros((2, 2), np.float32)), "vectors"),
        (Items(["a"], vectors=np.full((1, 2), np.nan, np.float32)), "NaN"),
        (Items(["a"], pictures=np.zeros(2, np.uint64)), "pictures"),
    ],
)
def test_bad_items_are_refused_and_change_nothing(items: Items, message: str) -> None:
    index, kept = grown(["x"])
    with pytest.raises(BadPool, match=message):
        index.add(items, kept)
    assert len(index) == 1


def test_unknown_ids_and_bad_closeness_are_refused() -> None:
    index, kept = grown(["x"])
    for ask in (index.labels, lambda ids: index.remove(ids, kept)):
        with pytest.raises(BadPool, match="'nobody' is not in"):
            ask(["nobody"])
    for bad in ({"cosine": 0.0}, {"jaccard": 1.5}, {"distance": 9}):
        with pytest.raises(BadPool, match=next(iter(bad))):
            Closeness(**bad)
