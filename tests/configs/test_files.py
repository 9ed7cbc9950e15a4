from __future__ import annotations

from pathlib import Path

import pytest

from configs.errors import SettingsError
from configs.files import read_mapping, refuse_unknown


def test_a_mapping_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: 1\nb: {c: [2]}\n7: x\n")
    assert read_mapping(path) == {"a": 1, "b": {"c": [2]}, "7": "x"}


def test_python_objects_are_never_built(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(SettingsError, match="cannot be read as YAML"):
        read_mapping(path)


def test_a_key_that_comes_twice_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("x: 1\nb:\n  c: 1\n  c: 2\n")
    with pytest.raises(SettingsError, match=r"line 3: the key 'c' is there twice"):
        read_mapping(path)


def test_unknown_keys_are_told_with_the_nearest_one_if_any() -> None:
    assert refuse_unknown(["port", "prot", "zzz"], ["port"], "here") == [
        "here: prot: unknown key; did you mean port?",
        "here: zzz: unknown key",
    ]
