"""The QA file: what holds without one, and what is wrong with one."""

from __future__ import annotations

from pathlib import Path

import pytest

from configs.errors import SettingsError
from configs.qa_files import QaFile, read_qa_file


def test_without_a_file_every_project_is_held_to_the_same(tmp_path: Path) -> None:
    assert read_qa_file(None) == QaFile() == QaFile(accuracy=0.95)
    file = tmp_path / "qa.yaml"
    file.write_text("projects: {forum: 0.97}\nactions: {keep: ok}\npeople: {mod-1: ana@example.org}\n")
    told = read_qa_file(file)
    assert (told.accuracy, told.projects, told.actions) == (0.95, {"forum": 0.97}, {"keep": "ok"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("projcts: {forum: 0.9}", "projcts: unknown key; did you mean projects?"),
        ("accuracy: 95", "accuracy: Input should be less than 1"),
        ("projects: {forum: 0}", r"projects\.forum: Input should be greater than 0"),
        ("actions: {keep: fine}", r"actions\.keep: Input should be 'violates' or 'ok'"),
    ],
)
def test_what_is_wrong_is_named_by_its_key(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "qa.yaml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=message):
        read_qa_file(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"qa\.yaml: cannot be read"):
        read_qa_file(tmp_path / "qa.yaml")
