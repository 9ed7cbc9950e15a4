from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from scoring.errors import ModelRefused
from scoring.pooling import pool, read_mode

STATES = torch.tensor([[[3.0, 0.0], [0.0, 4.0], [9.0, 9.0]]])
MASK = torch.tensor([[1, 1, 0]])


@pytest.mark.parametrize(("mode", "vector"), [("mean", [0.6, 0.8]), ("cls", [1.0, 0.0]), ("max", [0.6, 0.8])])
def test_padding_takes_no_part(mode: str, vector: list[float]) -> None:
    torch.testing.assert_close(pool(STATES, MASK, mode), torch.tensor([vector]))


def write(folder: Path, pooling: dict[str, object], modules: list[str] | None = None) -> Path:
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    if modules:
        (folder / "modules.json").write_text(json.dumps([{"type": name} for name in modules]))
    return folder


def test_the_mode_is_read_old_style_and_new(tmp_path: Path) -> None:
    assert read_mode(tmp_path) == "mean"
    old = write(tmp_path, {"word_embedding_dimension": 8, "pooling_mode_cls_token": True})
    assert read_mode(old) == "cls"
    (old / "1_Pooling" / "config.json").write_text(json.dumps({"embedding_dimension": 8, "pooling_mode": "max"}))
    assert read_mode(old) == "max"


@pytest.mark.parametrize(
    "pooling",
    [
        {"pooling_mode_lasttoken": True},
        {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True},
        {"pooling_mode": "weightedmean"},
    ],
)
def test_what_would_be_done_differently_is_refused(tmp_path: Path, pooling: dict[str, object]) -> None:
    with pytest.raises(ModelRefused, match="not supported"):
        read_mode(write(tmp_path, pooling))


def test_a_layer_on_top_is_refused(tmp_path: Path) -> None:
    kinds = ["sentence_transformers.models.Transformer", "sentence_transformers.models.Dense"]
    with pytest.raises(ModelRefused, match="Dense layer"):
        read_mode(write(tmp_path, {"pooling_mode": "mean"}, kinds))
