"""Files are written whole, or the one before stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from labeling.errors import StoreError
from labeling.written import write_whole


def test_a_file_replaces_the_one_before_and_leaves_nothing_aside(tmp_path: Path) -> None:
    path = tmp_path / "new" / "page.md"
    assert write_whole(path, b"one") == path
    write_whole(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


def test_what_holds_content_is_its_owners_alone(tmp_path: Path) -> None:
    path = write_whole(tmp_path / "tasks.json", b"[]", private=True)
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_cannot_be_written_is_named_and_leaves_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(StoreError, match="taken: cannot be written"):
        write_whole(tmp_path / "taken", b"x")
    assert [each.name for each in tmp_path.iterdir()] == ["taken"]
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="cannot be written"):
        write_whole(tmp_path / "file" / "below", b"x")
