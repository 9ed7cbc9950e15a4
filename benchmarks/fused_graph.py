"""A BERT-like encoder as an onnxruntime graph with fused kernels: Attention, SkipLayerNormalization, BiasGelu.

Only the older exporter's graph of eager attention has the shape that onnxruntime's own optimizer knows; from the newer
exporter's, or from fused attention in torch, it finds the norms and the GELU and no attention.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import torch
from transformers import PreTrainedModel

from scoring.onnx_export import Inputs, quiet

OPSET = 17
EAGER = "eager"


class _States(torch.nn.Module):
    def __init__(self, model: PreTrainedModel, names: list[str]) -> None:
        super().__init__()
        self.model, self.names = model, names

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        network: torch.nn.Module = self.model
        states: torch.Tensor = network(**dict(zip(self.names, inputs, strict=True))).last_hidden_state
        return states


def fuse(model: PreTrainedModel, example: Inputs, path: Path) -> None:
    """Write the fused graph from ``example``'s inputs to the last hidden states. Raises ValueError when a layer was not
    fused, since the row would not be what it says."""
    plain = path.with_suffix(".plain.onnx")
    with quiet():
        _export(model, example, plain)
        config = model.config
        optimizer = import_module("onnxruntime.transformers.optimizer")  # it imports much that nothing else needs
        graph = optimizer.optimize_model(
            str(plain),
            model_type="bert",
            num_heads=config.num_attention_heads,
            hidden_size=config.hidden_size,
            opt_level=0,
        )
    found, layers = graph.get_fused_operator_statistics(), config.num_hidden_layers
    wanted = {"Attention": layers, "SkipLayerNormalization": 2 * layers, "BiasGelu": layers}
    if any(found.get(kind) != count for kind, count in wanted.items()):
        raise ValueError(f"onnxruntime fused {found}, not {wanted}")
    graph.save_model_to_file(str(path))


def _export(model: PreTrainedModel, example: Inputs, path: Path) -> None:
    before, names = model.config._attn_implementation, list(example)
    axes = {name: {0: "rows", 1: "tokens"} for name in (*names, "states")}
    model.set_attn_implementation(EAGER)
    try:
        torch.onnx.export(
            _States(model, names).eval(),
            tuple(example.values()),
            str(path),
            input_names=names,
            output_names=["states"],
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
    finally:
        model.set_attn_implementation(before)
