from __future__ import annotations

import json
from pathlib import Path

import pytest

from scoring.errors import ModelRefused
from scoring.prompts import FILE, read_prompt


def write(folder: Path, config: dict[str, object]) -> Path:
    (folder / FILE).write_text(json.dumps(config))
    return folder


def test_the_models_default_is_read(tmp_path: Path) -> None:
    assert read_prompt(tmp_path) == ""
    prompts = {"query": "query: ", "passage": "passage: ", "document": None}
    write(tmp_path, {"prompts": prompts})
    assert read_prompt(tmp_path) == ""
    assert read_prompt(tmp_path, name="passage") == "passage: "
    assert read_prompt(tmp_path, name="document") == ""
    write(tmp_path, {"prompts": prompts, "default_prompt_name": "query"})
    assert read_prompt(tmp_path) == "query: "
    assert read_prompt(tmp_path, prompt="") == ""
    assert read_prompt(tmp_path, prompt="Is this abuse? ") == "Is this abuse? "


def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not both"):
        read_prompt(tmp_path, "a", "b")
    with pytest.raises(ValueError, match="'query' is unknown"):
        read_prompt(tmp_path, name="query")
    with pytest.raises(ModelRefused, match="names 'query' as its default prompt but has passage"):
        read_prompt(write(tmp_path, {"prompts": {"passage": "p"}, "default_prompt_name": "query"}))
    with pytest.raises(ModelRefused, match="should map names to texts"):
        read_prompt(write(tmp_path, {"prompts": ["query"]}))
