from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.errors import LeakError
from labeling.golden.captions import Captions, caption_letters
from labeling.golden.export import export
from labeling.golden.leaks import Leak, find_leaks
from labeling.golden.near import Sources, Subject, groups_of
from labeling.golden.publish import publish
from labeling.golden.vectors import no_vectors
from labeling.records import GoldenItem, Partition
from selection.near.bones import letters
from tests.labeling.golden.made import NOW, golden_item, sha
from tests.labeling.golden.test_partition import Angles, Book, Pictures
from tests.labeling.golden.test_publish import MemoryGolden

SAID = "They should all be sent away from this town before the winter comes"
NEARLY = "they should ALL be sent away, from this town before the wintre comes!"
OTHER = "A bowl of soup on a wooden table, seen from above, with bread beside it"
FAR = {"p1": 0x0F0F0F0F0F0F0F0F, "p2": 0x123456789ABCDEF0}


def image(item_id: str, caption: str, partition: Partition = Partition.TRAIN) -> GoldenItem:
    made = golden_item(item_id, caption, partition)
    return replace(made, modality="image", content_hash=sha(f"bytes of {item_id}"), caption_hash=sha(caption))


@pytest.mark.parametrize(
    ("exam", "lesson"),
    [
        (golden_item("s1", SAID, Partition.SEALED), image("p1", SAID)),
        (golden_item("s1", SAID, Partition.SEALED), image("p1", NEARLY)),
        (image("p1", NEARLY, Partition.SEALED), golden_item("t1", SAID)),
    ],
)
def test_a_caption_that_is_a_copy_of_a_text_makes_a_training_export_fail(
    tmp_path: Path, exam: GoldenItem, lesson: GoldenItem
) -> None:
    golden = MemoryGolden([exam, lesson, golden_item("t9")])
    publish(golden, tmp_path / "golden", NOW)
    named = rf"{lesson.item_id} gives away {exam.item_id} \(sealed, a caption and a text that share 70%"
    with pytest.raises(LeakError, match=named):
        export(golden, "1.0.0", tmp_path / "out", pictures=Pictures(FAR))


def test_the_same_words_under_two_pictures_and_short_captions_are_no_copies(tmp_path: Path) -> None:
    rows = [image("p1", SAID, Partition.SEALED), image("p2", SAID), golden_item("t9")]
    rows += [golden_item("s2", "so funny", Partition.SEALED), image("p3", "So funny!")]
    golden = MemoryGolden(rows)
    publish(golden, tmp_path / "golden", NOW)
    export(golden, "1.0.0", tmp_path / "out", pictures=Pictures({**FAR, "p3": 0x00FF00FF00FF00FF}))


def test_copies_are_found_among_rows_that_lie_packed_and_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = "a caption and a text that share 70% of their runs of characters"
    pictures = "pictures that differ in at most 4 bits"
    lessons = [image("p1", NEARLY), golden_item("t1", "one"), image("p2", "so funny"), golden_item("t2", OTHER)]
    exams = [
        golden_item("e1", SAID, Partition.SEALED),
        image("e2", "something else", Partition.DEV),
        image("e3", OTHER, Partition.ANCHOR),
        image("e4", "so funny", Partition.SEALED),
    ]
    hashes = Pictures({**FAR, "e2": FAR["p2"] ^ 0b101, "e3": 0x00FF00FF00FF00FF, "e4": 0x3C3C3C3C3C3C3C3C})
    expected = [
        Leak("p1", "e1", Partition.SEALED, texts),
        Leak("p2", "e2", Partition.DEV, pictures),
        Leak("t2", "e3", Partition.ANCHOR, texts),
    ]
    assert find_leaks(lessons, exams, pictures=hashes) == expected
    monkeypatch.setattr("labeling.golden.near.BATCH", 2)
    monkeypatch.setattr("labeling.golden.leaks.PAGE", 3)
    assert find_leaks(iter(lessons), iter(exams), pictures=hashes) == expected


def test_folding_puts_an_image_into_the_group_of_the_text_that_its_caption_says() -> None:
    for order in permutations([("t1", SAID), ("p1", NEARLY), ("p2", OTHER)]):
        book = Book(Angles({}), pictures=Pictures(FAR))
        for item_id, text in order:
            book.fold(item_id, text)
        groups = {item_id: row.group_id for item_id, row in book.rows.items()}
        assert groups["t1"] == groups["p1"] != groups["p2"]
        book.reopen()
        book.fold("t2", SAID.upper())
        assert book.rows["t2"].group_id == groups["t1"]


CAPTIONS = st.lists(st.sampled_from([SAID, NEARLY, OTHER, "so funny", ""]), max_size=5)


@settings(deadline=None, max_examples=30)
@given(CAPTIONS, CAPTIONS)
def test_pairs_are_those_of_comparing_all_with_all(captions: list[str], texts: list[str]) -> None:
    ours, theirs = [caption_letters(text) for text in captions], [letters(text) for text in texts]
    one, other = Captions(ours, 0.7).pairs(theirs)
    found = {(row, theirs[place]) for row, place in zip(one.tolist(), other.tolist(), strict=True)}
    alike = {(SAID, SAID), (NEARLY, NEARLY), (SAID, NEARLY), (NEARLY, SAID), (OTHER, OTHER)}
    wanted = {(row, letters(text)) for row, said in enumerate(captions) for text in texts if (said, text) in alike}
    assert found == wanted


def test_groups_do_not_chain_through_captions_alone() -> None:
    subjects = [Subject("p1", SAID, "a"), Subject("p2", SAID, "b"), Subject("t1", OTHER, "c")]
    sources = Sources.at(0.95, no_vectors, Pictures(FAR))
    assert len(set(groups_of(subjects, sources).tolist())) == 3
    with_text = [*subjects, Subject("t2", SAID, "d")]
    labels = groups_of(with_text, sources).tolist()
    assert labels[0] == labels[1] == labels[3] != labels[2]
