from __future__ import annotations

import zipfile
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labeling.near_duplicates import FILE, Grouped, group_near_duplicates
from labeling.pictures import LakePictures, Pictures, keep_pictures
from labeling.rounds import preview
from selection.types import F16
from tests.labeling.shop import Shop, items


class Texts:
    """A lake's texts, and how many were read."""

    def __init__(self, texts: dict[str, str]) -> None:
        self.held = texts
        self.read: list[str] = []

    def take(self, item_ids: Sequence[str], columns: Sequence[str]) -> pa.Table:
        assert columns == ["text"]
        self.read += item_ids
        return pa.table({"item_id": list(item_ids), "text": [self.held[item_id] for item_id in item_ids]})


LAKE = {f"it-{n}": f"{sha256(bytes([n])).hexdigest()} is its own text" for n in range(12)}
LAKE["it-10"] = LAKE["it-3"].upper().replace(" ", "  ")
LAKE["it-11"] = LAKE["it-4"] + "!"
VECTORS = np.eye(12, dtype=np.float16)
VECTORS[9] = VECTORS[1]
PAIRS = [(3, 10), (4, 11), (1, 9)]


def grouped(
    folder: Path | None,
    rows: Sequence[int],
    lake: Texts | None = None,
    cosine: float = 0.95,
    vectors: F16 = VECTORS,
) -> Grouped:
    ids = [f"it-{row}" for row in rows]
    return group_near_duplicates(lake or Texts(LAKE), ids, vectors[list(rows)], cosine, folder, keep=True)


def pairs(found: Grouped, rows: Sequence[int]) -> list[tuple[int, int]]:
    labels = dict(zip(rows, found.groups.tolist(), strict=True))
    return sorted((i, j) for i in rows for j in rows if i < j and labels[i] == labels[j])


def test_texts_and_embeddings_join_and_only_new_items_are_read_again(tmp_path: Path) -> None:
    lake = Texts(LAKE)
    grouped(tmp_path, range(10), lake)
    lake.read.clear()
    found = grouped(tmp_path, range(12), lake)
    assert pairs(found, range(12)) == sorted(PAIRS)
    assert found.notes == ()
    assert set(lake.read) <= {"it-10", "it-11", "it-3", "it-4"}
    lake.read.clear()
    assert pairs(grouped(tmp_path, range(12), lake), range(12)) == sorted(PAIRS)
    assert lake.read == []


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(frames=st.lists(st.sets(st.integers(0, 11), min_size=1).map(sorted), min_size=1, max_size=4))
def test_a_kept_index_answers_as_one_made_anew(tmp_path: Path, frames: list[list[int]]) -> None:
    """Items come, wait and are erased in any order."""
    for rows in frames:
        assert pairs(grouped(tmp_path, rows), rows) == pairs(grouped(None, rows), rows)


def test_an_erased_item_leaves_no_trace_in_the_file(tmp_path: Path) -> None:
    grouped(tmp_path, range(12))
    grouped(tmp_path, [row for row in range(12) if row != 3])
    with np.load(tmp_path / FILE) as arrays:
        assert b"it-3" not in arrays["ids"].tolist()
        assert all(len(arrays[f"{signal}-hashes"]) == 11 for signal in ("texts", "vectors", "pictures"))


def test_another_encoder_or_cosine_is_noticed(tmp_path: Path) -> None:
    grouped(tmp_path, range(12))
    other = grouped(tmp_path, range(12), vectors=VECTORS[::-1])
    assert pairs(other, range(12)) == [(2, 3), (2, 10), (3, 10), (4, 11)]
    exact = grouped(tmp_path, range(12), cosine=1.0)
    assert pairs(exact, range(12)) == sorted(PAIRS)
    assert "another closeness" in exact.notes[0]


@pytest.mark.parametrize("broken", [b"", b"PK", b"nonsense" * 100])
def test_a_broken_file_is_built_anew_with_a_note(tmp_path: Path, broken: bytes) -> None:
    (tmp_path / FILE).write_bytes(broken)
    found = grouped(tmp_path, range(12))
    assert pairs(found, range(12)) == sorted(PAIRS)
    assert "near-duplicate index: " in found.notes[0]
    assert "built anew" in found.notes[0]
    assert grouped(tmp_path, range(12)).notes == ()


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bits=st.integers(1, 255), cut=st.booleans())
def test_damage_never_gives_other_groups(tmp_path: Path, place: float, bits: int, cut: bool) -> None:
    grouped(tmp_path, range(12))
    data = bytearray((tmp_path / FILE).read_bytes())
    at = int(place * len(data))
    data[at] ^= bits
    (tmp_path / FILE).write_bytes(data[:at] if cut else data)
    assert pairs(grouped(tmp_path, range(12)), range(12)) == sorted(PAIRS)


@pytest.mark.parametrize(("at", "value"), [(8, 1), (10, 8), (10, 12), (10, 14), (10, 99)])
def test_a_header_that_lies_is_damage_too(tmp_path: Path, at: int, value: int) -> None:
    """Of one part: that it is encrypted, or compressed by deflate, bzip2, LZMA or something unknown."""
    grouped(tmp_path, range(12))
    data = bytearray((tmp_path / FILE).read_bytes())
    data[data.index(b"PK\x01\x02") + at] = value
    (tmp_path / FILE).write_bytes(data)
    found = grouped(tmp_path, range(12))
    assert pairs(found, range(12)) == sorted(PAIRS)
    assert "cannot be read" in found.notes[0]


def test_no_object_of_a_pickle_is_ever_loaded(tmp_path: Path) -> None:
    np.savez(tmp_path / FILE, settings=np.array([object()]))
    assert "cannot be read" in grouped(tmp_path, range(12)).notes[0]
    np.savez(tmp_path / FILE, settings=np.zeros(4))
    assert "another closeness or format" in grouped(tmp_path, range(12)).notes[0]


def test_a_folder_that_takes_no_file_is_told_and_the_round_goes_on(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    found = grouped(tmp_path / "file" / "cache", range(12))
    assert pairs(found, range(12)) == sorted(PAIRS)
    assert "cannot be written" in found.notes[0]


def test_an_archive_holds_plain_arrays_alone(tmp_path: Path) -> None:
    grouped(tmp_path, range(12))
    assert zipfile.is_zipfile(tmp_path / FILE)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    with np.load(tmp_path / FILE, allow_pickle=False) as arrays:
        assert all(arrays[name].dtype.kind in "iufS" for name in arrays.files)


def test_a_copy_in_disguise_is_one_unit_of_a_round(shop: Shop) -> None:
    shop.ingest(items(range(10)))
    shop.ingest(items(range(10, 20), "ITEM NUMBER 3   says - w3 v3 \U0001f602"))
    shop.score()
    request = shop.request(policies=("harm",))
    shown = preview(shop.ledger, shop.lake, shop.policies, shop.scorer(), request, shop.folder / "cache")
    assert shown.selection.frame["groups"] == 10
    assert not (shop.folder / "cache").exists()
    alone = preview(
        shop.ledger, shop.lake, shop.policies, shop.scorer(), shop.request(policies=("harm",), duplicate_cosine=None)
    )
    assert alone.selection.frame["groups"] == 20


def hashes(values: dict[str, int]) -> Pictures:
    return lambda ids: {item_id: np.uint64(values[item_id]) for item_id in ids if item_id in values}


def by_pictures(folder: Path, values: dict[str, int], lake: Texts | None = None) -> Grouped:
    ids = [f"it-{row}" for row in range(12)]
    vectors = np.zeros((12, 4), np.float16)
    return group_near_duplicates(lake or Texts(LAKE), ids, vectors, 0.95, folder, keep=True, pictures=hashes(values))


def test_pictures_that_differ_in_few_bits_share_a_group_and_captions_say_nothing(tmp_path: Path) -> None:
    known = {"it-0": 0xF0F0F0F0F0F0F0F0, "it-5": 0xF0F0F0F0F0F0F0FF, "it-7": 0x0F0F0F0F0F0F0F0F, "it-3": 0xFF00FF}
    assert pairs(by_pictures(tmp_path, known), range(12)) == [(0, 5), (4, 11)]  # it-10 has the caption of it-3
    known["it-3"] = 0  # of one colour: there is its caption to compare
    assert pairs(by_pictures(tmp_path, known), range(12)) == [(0, 5), (3, 10), (4, 11)]


def test_a_picture_that_is_hashed_later_is_grouped_anew(tmp_path: Path) -> None:
    lake = Texts(LAKE)
    assert pairs(by_pictures(tmp_path, {}, lake), range(12)) == [(3, 10), (4, 11)]
    known = {"it-3": 0xF0F0F0F0F0F0F0F0, "it-8": 0xF0F0F0F0F0F0F0F1}
    lake.read.clear()
    later = by_pictures(tmp_path, known, lake)
    assert pairs(later, range(12)) == [(3, 8), (4, 11)]
    assert set(lake.read) <= {"it-3", "it-8", "it-10"}
    assert later.notes == ()
    assert pairs(by_pictures(tmp_path / "other", known), range(12)) == pairs(later, range(12))


def test_a_round_groups_by_the_hashes_of_the_lake(shop: Shop) -> None:
    rows = items(range(6))
    shop.ingest(rows)
    ids = [row.item_id for row in rows]
    keep_pictures(shop.lake.add_columns, {ids[0]: np.uint64(7 << 40), ids[4]: np.uint64(5 << 40)})
    vectors = np.zeros((6, 1), np.float16)
    found = group_near_duplicates(
        shop.lake, ids, vectors, 1.0, None, keep=False, pictures=LakePictures(shop.lake)
    ).groups.tolist()
    assert found[0] == found[4]
    assert len(set(found)) == 5
