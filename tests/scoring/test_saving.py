from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from scoring.errors import ModelNotSaved, ModelRefused
from scoring.saving import read_tensors, write_folder

TENSORS = {"a": np.arange(6, dtype=np.float64).reshape(2, 3)[:, ::2], "none": np.zeros((0, 2))}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "model"
    write_folder(folder, ("t.safetensors", TENSORS), ("card.json", {"name": "ä"}))
    found = read_tensors(folder / "t.safetensors")
    for name, array in TENSORS.items():
        np.testing.assert_array_equal(found[name], array)
    assert json.loads((folder / "card.json").read_text(encoding="utf-8")) == {"name": "ä"}
    assert [path.name for path in folder.parent.iterdir()] == ["model"]
    assert folder.stat().st_mode & 0o777 == 0o755


def test_a_folder_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine").write_text("")
    with pytest.raises(ModelNotSaved, match="model could not be written"):
        write_folder(tmp_path / "model", ("t.safetensors", TENSORS), ("card.json", {}))
    assert [path.name for path in tmp_path.rglob("*")] == ["model", "mine"]


def test_damaged_tensors_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "t.safetensors").write_bytes(b"\x80\x04pickle")
    with pytest.raises(ModelRefused, match=r"t\.safetensors is damaged"):
        read_tensors(tmp_path / "t.safetensors")
