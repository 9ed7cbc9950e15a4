from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.errors import LeakError
from labeling.golden import leaks
from labeling.golden.leaks import Leak, find_leaks, refuse_leaks
from labeling.records import Partition
from tests.labeling.golden.made import golden_item
from tests.labeling.golden.test_partition import Angles

TRAIN = [golden_item("t1", "first lesson"), golden_item("t2", "second lesson")]
CLEAN = [golden_item("e1", "the exam", Partition.SEALED)]


def test_clean_sets_pass() -> None:
    assert find_leaks(TRAIN, CLEAN) == []
    refuse_leaks(TRAIN, CLEAN)
    refuse_leaks([], CLEAN)
    refuse_leaks(TRAIN, [])


@pytest.mark.parametrize(
    ("exam", "how"),
    [
        (replace(TRAIN[0], partition=Partition.DEV), "same item"),
        (golden_item("e", "first lesson", Partition.DEV), "same text"),
        (golden_item("e", "First\u200b LESSON \U0001f602", Partition.DEV), "same text after normalisation"),
        (golden_item("e", "else", Partition.DEV, group_id="g-t1"), "same near-duplicate group"),
    ],
)
def test_each_kind_of_leak_is_named(exam: object, how: str) -> None:
    assert isinstance(exam, type(TRAIN[0]))
    assert find_leaks(TRAIN, [exam, *CLEAN]) == [Leak("t1", exam.item_id, Partition.DEV, how)]


def test_close_embeddings_leak() -> None:
    angles = Angles({"t1": 0, "t2": 90, "e1": 10})
    assert find_leaks(TRAIN, CLEAN, angles, 0.95) == [Leak("t1", "e1", Partition.SEALED, "embeddings closer than 0.95")]
    assert find_leaks(TRAIN, CLEAN, Angles({"t1": 0, "t2": 90, "e1": 40}), 0.95) == []


def test_an_erased_text_is_no_copy_of_another_erased_one() -> None:
    lost = [
        replace(golden_item("t"), text="", content_hash="h1"),
        replace(golden_item("u"), text="", content_hash="h2"),
    ]
    assert find_leaks(lost[:1], lost[1:]) == []


def test_the_error_names_ids_and_never_content() -> None:
    exams = [golden_item(f"e{n}", "first lesson", Partition.SEALED) for n in range(12)]
    with pytest.raises(LeakError) as caught:
        refuse_leaks(TRAIN, exams)
    said = str(caught.value)
    assert "12 pairs" in said
    assert "t1 gives away e0 (sealed, same text)" in said
    assert "and 2 more" in said
    assert "lesson" not in said


def test_what_a_chain_joins_leaks_too() -> None:
    angles = Angles({"t1": 0, "t2": 15, "e1": 30})
    assert find_leaks(TRAIN, CLEAN, angles, 0.95) == [
        Leak("t1", "e1", Partition.SEALED, "same near-duplicate group"),
        Leak("t2", "e1", Partition.SEALED, "embeddings closer than 0.95"),
    ]
    alone = [*TRAIN, golden_item("t3")]
    assert [leak.train_id for leak in find_leaks(alone, CLEAN, angles, 0.95)] == ["t1", "t2"]


def test_large_sides_of_one_group_name_each_item_and_not_each_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaks, "MOST_PAIRS", 20)
    training = [golden_item(f"t{n}", "first lesson") for n in range(6)]
    exams = [golden_item(f"e{n}", "first lesson", Partition.DEV) for n in range(5)]
    found = find_leaks(training, exams)
    assert len(found) == 10
    assert {leak.train_id for leak in found} == {row.item_id for row in training}
    assert {leak.evaluation_id for leak in found} == {row.item_id for row in exams}


def test_every_policy_of_an_item_counts_and_batches_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    training = [golden_item(f"t{n}", group_id=f"g{n}", policy_id=policy) for n in range(5) for policy in ("a", "b")]
    training[3] = replace(training[3], group_id="shared")
    exams = [
        golden_item("e0", partition=Partition.DEV),
        golden_item("e1", partition=Partition.SEALED, group_id="shared"),
    ]
    expected = [Leak("t1", "e1", Partition.SEALED, "same near-duplicate group")]
    assert find_leaks(training, exams) == expected
    monkeypatch.setattr(leaks, "PAGE", 2)
    assert find_leaks(iter(training), iter(exams)) == expected


def test_an_erased_exam_is_known_by_its_hash() -> None:
    erased = replace(CLEAN[0], text="")
    copy = golden_item("t9", CLEAN[0].text)
    assert find_leaks([*TRAIN, copy], [erased]) == [Leak("t9", "e1", Partition.SEALED, "same text")]


def test_at_cosine_one_only_equal_letters_pictures_and_embeddings_leak() -> None:
    exams = [golden_item("e1", "first lesson!", Partition.SEALED), golden_item("e2", "x", Partition.SEALED)]
    angles = Angles({"t1": 0, "t2": 90, "e1": 45, "e2": 91})
    assert [leak.how for leak in find_leaks(TRAIN, exams, angles, 1.0)] == ["same text after normalisation"]
    exact = Angles({"t2": 90, "e2": 90})
    assert [leak.how for leak in find_leaks(TRAIN, exams[1:], exact, 1.0)] == ["embeddings closer than 1"]


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 359), max_size=12), st.lists(st.integers(0, 359), max_size=12))
def test_every_close_pair_is_found(lessons: list[int], exams: list[int]) -> None:
    training = [golden_item(f"t{n}") for n in range(len(lessons))]
    sealed = [golden_item(f"e{n}", partition=Partition.SEALED) for n in range(len(exams))]
    angles = {f"t{n}": float(a) for n, a in enumerate(lessons)} | {f"e{n}": float(a) for n, a in enumerate(exams)}
    told = find_leaks(training, sealed, Angles(angles), 0.95)
    found = {(leak.train_id, leak.evaluation_id) for leak in told if leak.how.startswith("embeddings")}
    expected = {
        (t.item_id, e.item_id)
        for t in training
        for e in sealed
        if np.cos(np.deg2rad(angles[t.item_id] - angles[e.item_id])) >= 0.95
    }
    assert found == expected
