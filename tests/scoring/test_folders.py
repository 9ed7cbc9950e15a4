from __future__ import annotations

import os
from pathlib import Path

import pytest

from scoring.errors import ModelNotSaved
from scoring.folders import write_folder


def test_a_folder_is_written_with_all_its_files(tmp_path: Path) -> None:
    write_folder(tmp_path / "models" / "one", {"a": b"1", "b": b"2"})
    assert {path.name: path.read_bytes() for path in (tmp_path / "models" / "one").iterdir()} == {"a": b"1", "b": b"2"}
    assert (tmp_path / "models" / "one").stat().st_mode & 0o777 == 0o755
    assert os.listdir(tmp_path / "models") == ["one"]


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelNotSaved, match="could not be written"):
        write_folder(tmp_path / "file" / "one", {"a": b"1"})
    with pytest.raises(ModelNotSaved):
        write_folder(tmp_path / "one", {"no/such/place": b"1"})
    assert os.listdir(tmp_path) == ["file"]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    write_folder(tmp_path / "one", {"a": b"1"})
    with pytest.raises(ModelNotSaved):
        write_folder(tmp_path / "one", {"a": b"2"})
    assert (tmp_path / "one" / "a").read_bytes() == b"1"
    assert os.listdir(tmp_path) == ["one"]
