from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from scoring.errors import ModelExists, ModelNotFound, ModelRefused
from scoring.finetuned import CARD, Finetuned, is_finetuned, move, seal


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    folder = tmp_path / "m1"
    folder.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json", "README.md"):
        (folder / name).write_text(f"{{}} {name}")
    seal(folder, ("fraud", "harm"), "enc-1", 64)
    return folder


def test_a_sealed_folder_is_told_by_the_hash_of_all_its_files(sealed: Path) -> None:
    found = Finetuned.load(sealed)
    assert (found.folder, found.policies, found.encoder_version, found.max_tokens) == (
        sealed,
        ("fraud", "harm"),
        "enc-1",
        64,
    )
    assert is_finetuned(sealed)
    assert seal(sealed, ("fraud", "harm"), "enc-1", 64) == found.version
    (sealed / "README.md").write_text("another")
    assert seal(sealed, ("fraud", "harm"), "enc-1", 64) != found.version
    (sealed / "calibration-1").mkdir()  # of Goldfold's own, not of the model
    Finetuned.load(sealed)


def _swap(folder: Path) -> None:
    (folder / "model.safetensors").write_text("other weights")


def _gone(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


def _more(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_text("")


def _card(folder: Path) -> None:
    card = json.loads((folder / CARD).read_text())
    (folder / CARD).write_text(json.dumps(card | {"policies": ["harm", "fraud"]}))


def _no_card(folder: Path) -> None:
    (folder / CARD).write_text("{}")


@pytest.mark.parametrize("tamper", [_swap, _gone, _more, _card, _no_card])
def test_a_folder_that_is_not_what_was_sealed_is_refused(sealed: Path, tamper: Callable[[Path], None]) -> None:
    tamper(sealed)
    with pytest.raises(ModelRefused, match="m1"):
        Finetuned.load(sealed)


def test_a_folder_without_a_card_holds_none(tmp_path: Path) -> None:
    assert not is_finetuned(tmp_path)
    with pytest.raises(ModelNotFound, match=CARD):
        Finetuned.load(tmp_path)


def test_a_draft_becomes_the_model_once(sealed: Path, tmp_path: Path) -> None:
    version, folder = Finetuned.load(sealed).version, tmp_path / "models" / "m1"
    move(sealed, folder)
    assert Finetuned.load(folder).version == version
    assert not sealed.exists()
    draft = tmp_path / "draft"
    draft.mkdir()
    for path in folder.iterdir():
        (draft / path.name).write_bytes(path.read_bytes())
    move(draft, folder)
    (draft / "config.json").write_text("[]")
    seal(draft, ("fraud", "harm"), "enc-1", 64)
    with pytest.raises(ModelExists, match="m1"):
        move(draft, folder)
