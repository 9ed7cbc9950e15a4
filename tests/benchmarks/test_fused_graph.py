"""The fused graph says what the model says, padding left out, and the model is as it was."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks import fused_graph
from benchmarks.fused_graph import fuse
from scoring.encoder import SentenceEncoder
from scoring.onnx_export import Inputs, open_states
from scoring.tokens import Tokenizer
from tests.scoring.tiny import write_model

pytestmark = pytest.mark.filterwarnings("ignore")  # onnxruntime's optimizer warns as it likes
CPU = torch.device("cpu")


@pytest.fixture
def encoder(tmp_path: Path) -> SentenceEncoder:
    return SentenceEncoder(write_model(tmp_path / "model", "bert"), device="cpu")


def batch(encoder: SentenceEncoder, folder: Path, *texts: str) -> Inputs:
    tokenizer = Tokenizer(folder / "model", encoder.module)
    return tokenizer.collate(tokenizer.rows(list(texts)), CPU)


def test_it_answers_as_the_model_does(encoder: SentenceEncoder, tmp_path: Path) -> None:
    before, path = encoder.module.config._attn_implementation, tmp_path / "fused.onnx"
    fuse(encoder.module, batch(encoder, tmp_path, "a fox", "birds sing in the park"), path)
    assert encoder.module.config._attn_implementation == before
    asked = batch(encoder, tmp_path, "care", "the lazy dog jumps over books " * 3, "good friends")
    with torch.inference_mode():
        expected = encoder.module(**asked).last_hidden_state
    real = asked["attention_mask"].bool()
    assert not real.all()
    assert float((open_states(path, threads=1)(asked) - expected)[real].abs().max()) < 1e-4


def test_a_graph_that_is_not_fused_whole_is_refused(
    encoder: SentenceEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fused_graph, "EAGER", "sdpa")
    with pytest.raises(ValueError, match="'Attention': 0"):
        fuse(encoder.module, batch(encoder, tmp_path, "a fox", "birds sing in the park"), tmp_path / "fused.onnx")
