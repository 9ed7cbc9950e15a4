from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from labeling.artefacts import artefact_hash, verify_artefact
from labeling.errors import IntegrityError
from tests.contracts.records import model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "m1"
    (made / "tokenizer").mkdir(parents=True)
    (made / "head.json").write_text("{}")
    (made / "tokenizer" / "words.txt").write_text("a b")
    return made


def test_a_byte_more_or_less_anywhere_is_noticed(folder: Path) -> None:
    registered = replace(model("m1"), path=str(folder), artefact=artefact_hash(folder))
    verify_artefact(registered)
    (folder / "tokenizer" / "words.txt").write_text("a c")
    with pytest.raises(IntegrityError, match="model 'm1' was registered with"):
        verify_artefact(registered)
    (folder / "tokenizer" / "words.txt").write_text("a b")
    (folder / "more.json").write_text("{}")
    with pytest.raises(IntegrityError):
        verify_artefact(registered)


def test_a_file_that_changes_its_name_is_another_artefact(folder: Path) -> None:
    before = artefact_hash(folder)
    (folder / "head.json").rename(folder / "card.json")
    assert artefact_hash(folder) != before


def test_calibrations_come_later_and_do_not_count(folder: Path) -> None:
    before = artefact_hash(folder)
    (folder / "calibration-ab12").mkdir()
    (folder / "calibration-ab12" / "calibrator.json").write_text("{}")
    assert artefact_hash(folder) == before


def test_a_link_is_refused(folder: Path) -> None:
    (folder / "weights").symlink_to(folder / "head.json")
    with pytest.raises(IntegrityError, match="is a link"):
        artefact_hash(folder)


def test_what_is_gone_or_was_registered_without_is_for_the_loader_to_tell(folder: Path) -> None:
    verify_artefact(replace(model("m1"), path=str(folder)))
    verify_artefact(replace(model("m1"), path=str(folder / "gone"), artefact="ab" * 32))
