from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scoring.cascade_files import CARD, TENSORS, TOKENIZER, load_cascade, save_cascade, version_of
from scoring.cascade_fit import Fitted
from scoring.errors import ModelExists, ModelNotFound, ModelNotSaved, ModelRefused
from tests.contracts.scorer import TEXTS
from tests.scoring.stages import rule, tiny_stage, tiny_tokenizer
from tests.scoring.test_cascade_report import REPORT

POLICIES = ("abuse", "violence")


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    stage = tiny_stage(tiny_tokenizer(tmp_path_factory.mktemp("stage")), POLICIES)
    return Fitted(stage, rule(POLICIES, "full-1", cut=-0.125, trickle=0.01), REPORT)


@pytest.fixture
def folder(fitted: Fitted, tmp_path: Path) -> Path:
    save_cascade(fitted, tmp_path / "cascade")
    return tmp_path / "cascade"


def test_what_was_saved_comes_back_to_the_bit(fitted: Fitted, folder: Path) -> None:
    found = load_cascade(folder)
    assert found.clearing == fitted.clearing
    assert found.report == fitted.report
    assert found.stage.version == fitted.stage.version
    assert version_of(found) == version_of(fitted)
    np.testing.assert_array_equal(found.stage.read(TEXTS).logits, fitted.stage.read(TEXTS).logits)


def test_saved_cascades_are_never_overwritten(fitted: Fitted, folder: Path) -> None:
    save_cascade(fitted, folder)  # the same one: nothing to do
    other = Fitted(fitted.stage, replace(fitted.clearing, cut=3.0), fitted.report)
    with pytest.raises(ModelExists, match="choose another folder"):
        save_cascade(other, folder)
    assert load_cascade(folder).clearing == fitted.clearing
    (folder / CARD).unlink()
    with pytest.raises(ModelExists):
        save_cascade(fitted, folder)


def test_a_place_that_takes_no_folder(fitted: Fitted, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelNotSaved):
        save_cascade(fitted, tmp_path / "file" / "cascade")


@pytest.mark.parametrize("name", [TENSORS, TOKENIZER, CARD])
def test_a_missing_file_is_named_with_the_cure(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelNotFound, match="goldfold cascade fit"):
        load_cascade(folder)


@pytest.mark.parametrize("name", [TENSORS, TOKENIZER])
def test_a_changed_file_is_refused(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(bytes(content))
    with pytest.raises(ModelRefused, match="do not belong together"):
        load_cascade(folder)


@pytest.mark.parametrize("key", ["clearing", "report", "max_tokens"])
def test_a_changed_card_is_refused(folder: Path, key: str) -> None:
    card = json.loads((folder / CARD).read_text())
    card[key] = 7
    (folder / CARD).write_text(json.dumps(card))
    with pytest.raises(ModelRefused, match="do not belong together"):
        load_cascade(folder)


def test_a_cascade_of_an_older_format_is_refused(folder: Path) -> None:
    card = json.loads((folder / CARD).read_text())
    card["format"] = 1
    (folder / CARD).write_text(json.dumps(card))
    with pytest.raises(ModelRefused, match="format 2; fit it anew"):
        load_cascade(folder)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 2}'])
def test_another_card_is_refused(folder: Path, content: str) -> None:
    (folder / CARD).write_text(content)
    with pytest.raises(ModelRefused):
        load_cascade(folder)
