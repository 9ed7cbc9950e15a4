"""Export of a tiny encoder; the exporter takes seconds even for that."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from onnxruntime.capi.onnxruntime_pybind11_state import Fail
from transformers import PreTrainedModel

from scoring import onnx_export
from scoring.encoder import SentenceEncoder
from scoring.errors import ModelNotFound, ModelRefused
from scoring.onnx_export import Inputs, export, open_states, quantize
from scoring.tokens import Tokenizer
from tests.contracts.scorer import TEXTS
from tests.scoring.tiny import write_model

pytestmark = pytest.mark.slow
CPU = torch.device("cpu")


class Tiny:
    """An encoder, its tokenizer, and its graph."""

    def __init__(self, folder: Path) -> None:
        write_model(folder / "model", "bert")
        self.module: PreTrainedModel = SentenceEncoder(folder / "model", device="cpu").module
        self.tokenizer = Tokenizer(folder / "model", self.module)
        self.graph = folder / "graph.onnx"
        export(self.module, self.batch(["a fox", "the lazy dog jumps over a fox"]), self.graph)

    def batch(self, texts: list[str]) -> Inputs:
        return self.tokenizer.collate(self.tokenizer.rows(texts), CPU)

    def states(self, inputs: Inputs) -> torch.Tensor:
        with torch.inference_mode():
            states: torch.Tensor = self.module(**inputs).last_hidden_state
        return states


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    return Tiny(tmp_path_factory.mktemp("onnx"))


def test_the_graph_answers_as_the_model_for_any_batch_and_padding(tiny: Tiny) -> None:
    run = open_states(tiny.graph, threads=1)
    for texts in (list(TEXTS), ["a fox"], ["a fox", "care"], list(TEXTS[::-1][:3])):
        inputs = tiny.batch(texts)
        real = inputs["attention_mask"].bool()
        torch.testing.assert_close(run(inputs)[real], tiny.states(inputs)[real], atol=1e-4, rtol=0)


def test_int8_is_near_and_not_the_same(tiny: Tiny, tmp_path: Path) -> None:
    quantize(tiny.graph, tmp_path / "int8.onnx")
    assert (tmp_path / "int8.onnx").stat().st_size < tiny.graph.stat().st_size
    inputs = tiny.batch(list(TEXTS))
    real = inputs["attention_mask"].bool()
    exact, found = tiny.states(inputs)[real], open_states(tmp_path / "int8.onnx", threads=1)(inputs)[real]
    assert not torch.allclose(found, exact, atol=1e-5)
    assert torch.nn.functional.cosine_similarity(found, exact, dim=-1).mean() > 0.97
    assert [path.name for path in tmp_path.iterdir()] == ["int8.onnx"]


def test_an_example_without_padding_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    for texts in (["a fox"], ["a fox", "a fox"]):
        with pytest.raises(ValueError, match="one of them padded"):
            export(tiny.module, tiny.batch(texts), tmp_path / "x.onnx")


def test_a_graph_that_answers_differently_is_not_kept(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_mask(path: Path, threads: int = 0) -> onnx_export.States:
        run = open_states(path, threads)
        return lambda inputs: run({**inputs, "attention_mask": torch.ones_like(inputs["attention_mask"])})

    monkeypatch.setattr(onnx_export, "open_states", without_mask)
    with pytest.raises(ModelRefused, match="answers differently"):
        export(tiny.module, tiny.batch(["a fox", "the lazy dog jumps over a fox"]), tmp_path / "x.onnx")
    assert list(tmp_path.iterdir()) == []


def test_what_is_missing_or_damaged_is_said(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.onnx").write_bytes(b"no graph")
    with pytest.raises(ModelRefused, match="cannot be opened by onnxruntime"):
        open_states(tmp_path / "x.onnx")
    with pytest.raises(ModelRefused, match="nowhere"):
        open_states(tmp_path / "nowhere.onnx")
    monkeypatch.setattr(onnx_export, "find_spec", lambda _name: None)
    with pytest.raises(ModelNotFound, match=r"goldfold\[int8\]"):
        export(tiny.module, tiny.batch(["a fox", "the lazy dog jumps"]), tmp_path / "y.onnx")


@pytest.mark.parametrize(("error", "kind"), [(Fail("injected"), RuntimeError), (Fail("bad allocation"), MemoryError)])
def test_errors_of_the_runtime_are_ones_that_fail_an_item(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, error: Exception, kind: type[Exception]
) -> None:
    def fail(*_arguments: object) -> None:
        raise error

    monkeypatch.setattr("onnxruntime.InferenceSession.run", fail)
    with pytest.raises(kind, match=str(error)):
        open_states(tiny.graph)(tiny.batch(["a fox"]))
