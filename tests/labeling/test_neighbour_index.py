from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labeling.neighbour_index import Indexed, index_neighbours
from selection.hashing import item_hashes
from selection.neighbours import Neighbours

ROWS = np.random.default_rng(0).standard_normal((300, 16))
VECTORS = (ROWS / np.linalg.norm(ROWS, axis=1, keepdims=True)).astype(np.float16)
VECTORS[13] = 0


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was done: "build 200", "add 10"."""
    done: list[str] = []
    build, add = Neighbours.build, Neighbours.add

    def built(hashes: Any, vectors: Any) -> Neighbours:
        done.append(f"build {len(hashes)}")
        return build(hashes, vectors)

    def added(self: Neighbours, hashes: Any, vectors: Any) -> None:
        done.append(f"add {len(hashes)}")
        add(self, hashes, vectors)

    monkeypatch.setattr(Neighbours, "build", staticmethod(built))
    monkeypatch.setattr(Neighbours, "add", added)
    return done


def indexed(folder: Path | None, rows: Sequence[int], *, version: str = "enc", keep: bool = True) -> Indexed:
    return index_neighbours([f"it-{row}" for row in rows], VECTORS[list(rows)], version, folder, keep=keep)


def test_an_unchanged_index_is_used_as_it_is(tmp_path: Path, work: list[str]) -> None:
    first = indexed(tmp_path, range(200))
    assert work == ["build 199", "add 199"]  # one has no embedding
    work.clear()
    kept = (tmp_path / "neighbours-enc.npz").stat().st_mtime_ns
    again = indexed(tmp_path, range(200))
    assert work == ["add 0"]
    assert (tmp_path / "neighbours-enc.npz").stat().st_mtime_ns == kept
    assert first.near is not None
    assert again.near is not None
    queries = VECTORS[:4].astype(np.float32)
    assert first.near(queries, 20).tolist() == again.near(queries, 20).tolist()


def test_new_items_are_added_until_a_fifth_more_are_there(tmp_path: Path, work: list[str]) -> None:
    indexed(tmp_path, range(200))
    work.clear()
    more = indexed(tmp_path, range(220))
    assert work == ["add 20"]
    assert more.near is not None
    assert 215 in more.near(VECTORS[215:216].astype(np.float32), 1).tolist()
    work.clear()
    indexed(tmp_path, range(300))
    assert work[0] == "build 299"


def test_an_erased_item_is_neither_told_nor_kept(tmp_path: Path, work: list[str]) -> None:
    indexed(tmp_path, range(200))
    work.clear()
    left = [row for row in range(200) if row != 5]
    found = indexed(tmp_path, left)
    assert work[0] == "build 198"
    assert found.near is not None
    assert len(found.near(VECTORS[5:6].astype(np.float32), 300)) == 198
    with np.load(tmp_path / "neighbours-enc.npz") as kept:
        assert item_hashes(["it-5"])[0] not in kept["hashes"]
        assert item_hashes(["it-6"])[0] in kept["hashes"]


def test_a_file_that_cannot_be_used_is_built_anew_with_a_note(tmp_path: Path, work: list[str]) -> None:
    indexed(tmp_path, range(200))
    path = tmp_path / "neighbours-enc.npz"
    whole = path.read_bytes()
    for damage in (whole[: len(whole) // 2], b"", whole.replace(b"IwFl", b"IwXX")):
        path.write_bytes(damage)
        work.clear()
        found = indexed(tmp_path, range(200))
        assert work[0] == "build 199"
        assert len(found.notes) == 1
        assert found.notes[0].startswith(f"index of neighbours: {path} cannot be used")
    assert indexed(tmp_path, range(200)).notes == ()


def test_files_of_other_embeddings_go(tmp_path: Path) -> None:
    indexed(tmp_path, range(200))
    indexed(tmp_path, range(200), version="other")
    assert [path.name for path in tmp_path.iterdir()] == ["neighbours-other.npz"]


def test_nothing_is_written_for_a_preview_or_where_it_cannot_be(tmp_path: Path) -> None:
    indexed(tmp_path, range(200), keep=False)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    found = indexed(tmp_path / "file" / "below", range(200))
    assert found.near is not None
    assert "cannot be written" in found.notes[0]
    assert indexed(None, range(200)).near is not None


def test_no_embeddings_no_index(tmp_path: Path) -> None:
    assert indexed(tmp_path, [13]) == Indexed(None)
