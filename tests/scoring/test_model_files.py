from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants

from scoring.errors import ModelNotFound, ModelRefused
from scoring.hf_classifier import HFClassifier
from scoring.model_files import fingerprint, locate, read_json


def copy(source: Path, target: Path) -> Path:
    shutil.copytree(source, target)
    return target


def test_a_folder_is_found_as_path_and_as_text(tiny: dict[str, Path]) -> None:
    assert locate(tiny["bert"]) == locate(str(tiny["bert"])) == tiny["bert"]


@pytest.mark.parametrize("missing", ["./nowhere", "/no/such/folder", "~/no/such/folder"])
def test_a_folder_that_is_not_there_is_named(missing: str) -> None:
    with pytest.raises(ModelNotFound, match="does not exist"):
        locate(missing)


def test_a_hub_id_that_is_not_here_says_how_to_fetch_it() -> None:
    with pytest.raises(ModelNotFound, match="hf download some-org/some-model"):
        locate("some-org/some-model")


def test_what_is_no_hub_id_is_said() -> None:
    with pytest.raises(ModelNotFound, match="neither a folder nor a hub id"):
        locate("bad id!!")


def test_a_hub_id_in_the_local_cache_loads_offline(
    tiny: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    revision = "0123456789abcdef0123456789abcdef01234567"
    place = tmp_path / "models--some-org--tiny"
    copy(tiny["bert"], place / "snapshots" / revision)
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text(revision)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    scorer = HFClassifier("some-org/tiny", {"insult": "abuse"}, device="cpu")
    assert scorer.name == "tiny"
    assert scorer.version == HFClassifier(tiny["bert"], {"insult": "abuse"}, device="cpu").version
    assert locate("some-org/tiny", revision) == place / "snapshots" / revision
    with pytest.raises(ModelNotFound, match="hf download"):
        locate("some-org/tiny", "f" * 40)


def test_pickled_weights_are_refused(tiny: dict[str, Path], tmp_path: Path) -> None:
    folder = copy(tiny["bert"], tmp_path / "model")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelRefused, match="no weights"):
        locate(folder)
    torch.save({"weight": torch.zeros(1)}, folder / "pytorch_model.bin")
    with pytest.raises(ModelRefused, match=r"pytorch_model\.bin, which can run code"):
        locate(folder)


def test_a_folder_without_config_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match=r"no config\.json"):
        locate(tmp_path)


def test_the_fingerprint_follows_content_not_place(tiny: dict[str, Path], tmp_path: Path) -> None:
    folder = copy(tiny["bert"], tmp_path / "moved")
    first = fingerprint(folder, {"max_tokens": 8})
    assert first == fingerprint(tiny["bert"], {"max_tokens": 8})
    assert first != fingerprint(folder, {"max_tokens": 9})
    (folder / "README.md").write_text("words")
    assert first == fingerprint(folder, {"max_tokens": 8})
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        changed = copy(folder, tmp_path / name)
        with (changed / name).open("ab") as file:
            file.write(b" ")
        assert fingerprint(changed, {"max_tokens": 8}) != first


def test_json_is_read_or_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    assert read_json(path, dict) == {}
    path.write_text("{broken")
    with pytest.raises(ModelRefused, match=r"card\.json cannot be read"):
        read_json(path, dict)
    path.write_text("[1]")
    assert read_json(path, list) == [1]
    with pytest.raises(ModelRefused, match="JSON dict, not a list"):
        read_json(path, dict)
