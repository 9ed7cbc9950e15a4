from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoModelForSequenceClassification

from scoring.errors import ModelRefused
from scoring.loading import load_model, load_tokenizer

CPU = torch.device("cpu")
Weights = dict[str, torch.Tensor]


@pytest.fixture
def folder(tiny: dict[str, Path], tmp_path: Path) -> Path:
    shutil.copytree(tiny["bert"], tmp_path / "model")
    return tmp_path / "model"


def rewrite(folder: Path, **changes: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))


def test_loading_is_silent(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    model = load_model(AutoModelForSequenceClassification, folder, CPU)
    load_tokenizer(folder)
    assert not model.training
    assert capfd.readouterr() == ("", "")


def test_missing_weights_are_not_made_up(folder: Path) -> None:
    weights: Weights = load_file(folder / "model.safetensors")
    kept = {name: tensor for name, tensor in weights.items() if not name.startswith("classifier")}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelRefused, match=r"lacks 2 of the weights .* such as classifier\.bias"):
        load_model(AutoModelForSequenceClassification, folder, CPU)


def test_a_part_that_is_not_used_may_lack(folder: Path) -> None:
    weights: Weights = load_file(folder / "model.safetensors")
    kept = {name: tensor for name, tensor in weights.items() if "pooler" not in name}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    assert load_model(AutoModel, folder, CPU, may_lack=("pooler.",)).config.hidden_size == 32
    with pytest.raises(ModelRefused, match="lacks 2"):
        load_model(AutoModel, folder, CPU)


@pytest.mark.parametrize("content", [b"", b"garbage", b"\xff" * 200, b"PK\x03\x04 a zip"])
def test_damaged_weights_are_refused(folder: Path, content: bytes) -> None:
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(ModelRefused, match="cannot be loaded"):
        load_model(AutoModel, folder, CPU)


def test_weights_of_another_shape_are_refused(folder: Path) -> None:
    rewrite(folder, hidden_size=64, intermediate_size=96)
    with pytest.raises(ModelRefused, match="cannot be loaded"):
        load_model(AutoModel, folder, CPU)


@pytest.mark.parametrize(
    "changes",
    [{"model_type": "no-such-type"}, {"hidden_size": "many"}, {"num_attention_heads": 5}, {"vocab_size": -3}],
)
def test_a_config_of_nonsense_is_refused(folder: Path, changes: dict[str, object]) -> None:
    rewrite(folder, **changes)
    with pytest.raises(ModelRefused, match="cannot be loaded"):
        load_model(AutoModel, folder, CPU)


def test_code_in_the_folder_is_never_run(folder: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    (folder / "evil.py").write_text(f"open({str(ran)!r}, 'w').close()\nclass Config: pass\nclass Model: pass\n")
    rewrite(folder, model_type="evil", auto_map={"AutoConfig": "evil.Config", "AutoModel": "evil.Model"})
    with pytest.raises(ModelRefused, match="cannot be loaded"):
        load_model(AutoModel, folder, CPU)
    assert not ran.exists()


def test_a_damaged_tokenizer_is_refused(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelRefused, match="tokenizer"):
        load_tokenizer(folder)
