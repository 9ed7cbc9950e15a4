from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

from scoring.errors import ModelRefused
from scoring.packed import Layout
from scoring.pooling import MODES, Pooling, pool, pool_packed, read_pooling

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
    assert read_pooling(tmp_path) == Pooling("mean")
    old = write(tmp_path, {"word_embedding_dimension": 8, "pooling_mode_cls_token": True})
    assert read_pooling(old) == Pooling("cls")
    (old / "1_Pooling" / "config.json").write_text(json.dumps({"embedding_dimension": 8, "pooling_mode": "max"}))
    assert read_pooling(old) == Pooling("max")


@pytest.mark.parametrize(
    "pooling",
    [
        {"pooling_mode_weightedmean_tokens": True},
        {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True},
        {"pooling_mode": "weightedmean"},
    ],
)
def test_what_would_be_done_differently_is_refused(tmp_path: Path, pooling: dict[str, object]) -> None:
    with pytest.raises(ModelRefused, match="not supported"):
        read_pooling(write(tmp_path, pooling))


def test_a_layer_on_top_is_refused(tmp_path: Path) -> None:
    kinds = ["sentence_transformers.models.Transformer", "sentence_transformers.models.Dense"]
    with pytest.raises(ModelRefused, match="Dense layer"):
        read_pooling(write(tmp_path, {"pooling_mode": "mean"}, kinds))


def test_every_mode_and_the_prompt_rule_are_read(tmp_path: Path) -> None:
    folder = write(tmp_path, {"pooling_mode_lasttoken": True, "include_prompt": False})
    assert read_pooling(folder) == Pooling("lasttoken", include_prompt=False)
    for named, mode in (("mean_sqrt_len_tokens", "mean"), (["lasttoken"], "lasttoken")):
        (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode": named}))
        assert read_pooling(folder) == Pooling(mode)


@pytest.mark.parametrize("skip", [0, 1])
@pytest.mark.parametrize("mode", MODES)
def test_packed_states_are_pooled_like_padded_ones_on_either_side(mode: str, skip: int) -> None:
    torch.manual_seed(0)
    texts = [torch.randn(length, 4) for length in (2, 5, 3)]
    layout = Layout(tuple(map(len, texts)), torch.device("cpu"))
    packed = pool_packed(torch.cat(texts)[None], layout, mode, skip)
    for side in ("left", "right"):
        states = pad_sequence(texts, batch_first=True, padding_side=side)
        mask = pad_sequence([torch.ones(len(text)) for text in texts], batch_first=True, padding_side=side)
        torch.testing.assert_close(pool(states, mask, mode, skip), packed)
