"""A transformers encoder as an ONNX file, in float32 or with int8 weights, checked against the original."""

from __future__ import annotations

import logging
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import onnx
import onnxruntime as ort
import torch
from onnxruntime.capi.onnxruntime_pybind11_state import (
    EPFail,
    Fail,
    InvalidArgument,
    InvalidGraph,
    InvalidProtobuf,
    NoSuchFile,
    RuntimeException,
)
from onnxruntime.capi.onnxruntime_pybind11_state import (
    NotImplemented as NotOffered,
)
from onnxruntime.quantization import QuantType, quantize_dynamic
from transformers import PreTrainedModel

from scoring.errors import ModelNotFound, ModelRefused

Inputs = dict[str, torch.Tensor]
States = Callable[[Inputs], torch.Tensor]
FLOAT_TENSOR = 1  # onnx.TensorProto.FLOAT: the type of tensors whose type the graph does not tell
DAMAGE = (Fail, InvalidArgument, InvalidGraph, InvalidProtobuf, NoSuchFile, NotOffered)  # they share no root
CLOSE = 1e-4  # largest difference of states in float32; a graph that lost its mask is off by about 1


class _States(torch.nn.Module):
    """Inputs in a fixed order to the last hidden states: ONNX knows no keyword arguments."""

    def __init__(self, model: torch.nn.Module, names: Sequence[str]) -> None:
        super().__init__()
        self.model, self.names = model, list(names)

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        states: torch.Tensor = self.model(**dict(zip(self.names, inputs, strict=True))).last_hidden_state
        return states


def export(model: PreTrainedModel, example: Inputs, path: Path) -> None:
    """Write the graph from inputs to the last hidden states, whole or not at all.

    ``example``: a batch of at least two rows, one of them padded: exported with a mask of ones only, a graph silently
    loses its mask. Raises ValueError for such an example, ModelNotFound without ``onnxscript``, ModelRefused when the
    model cannot be exported or answers differently as a graph.
    """
    mask = example["attention_mask"]
    if len(mask) < 2 or bool(mask.all()):
        raise ValueError("the example must have two rows or more, one of them padded")
    if find_spec("onnxscript") is None:
        raise ModelNotFound("a model cannot be exported without onnxscript; run `pip install 'goldfold[int8]'`")
    network = _States(model, list(example)).eval()
    dynamic = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    with quiet(), _whole(path) as draft:
        try:
            program = torch.onnx.export(
                network,
                tuple(example.values()),
                input_names=list(example),
                output_names=["states"],
                dynamo=True,
                dynamic_shapes=((dynamic,) * len(example),),
                verbose=False,
            )
        except (torch.onnx.errors.OnnxExporterError, RuntimeError, TypeError, ValueError) as error:
            raise ModelRefused(f"{type(model).__name__} cannot be exported to ONNX ({type(error).__name__})") from error
        if program is None:
            raise ModelRefused(f"{type(model).__name__} cannot be exported to ONNX")
        program.save(str(draft))
        _check(model, example, draft)


def quantize(source: Path, path: Path) -> None:
    """Int8 weights (per channel, with a bit to spare against overflow on older CPUs); activations are quantized as
    they come. About half as fast again, and not the same vectors: see docs/performance.md. The file's bytes depend on
    the model and the versions of the packages only: what exporters note of their own source is left out."""
    with quiet(), _whole(path) as draft:
        quantize_dynamic(
            source,
            draft,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
            extra_options={"DefaultTensorType": FLOAT_TENSOR},
        )
        _forget_sources(draft)


def open_states(path: Path, threads: int = 0) -> States:
    """The graph as a function, for any thread; ``threads``: 0 for all cores. Raises ModelRefused; the function raises
    RuntimeError or MemoryError."""
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 3
    try:
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except DAMAGE as error:
        raise ModelRefused(
            f"{path} cannot be opened by onnxruntime, delete it to have it made anew: {error}"
        ) from error
    names = [one.name for one in session.get_inputs()]

    def states(inputs: Inputs) -> torch.Tensor:
        try:
            return torch.from_numpy(session.run(None, {name: inputs[name].numpy() for name in names})[0])
        except (EPFail, Fail, InvalidArgument, RuntimeException) as error:  # none of them is a RuntimeError
            kind = MemoryError if "alloc" in str(error) else RuntimeError
            raise kind(str(error)) from error

    return states


def _forget_sources(path: Path) -> None:
    """Exporters write into the graph in which line of which file of this machine each node was made."""
    model = onnx.load(path)
    for part in (model.graph, *model.functions):
        for one in (part, *part.node, *part.value_info):
            one.ClearField("metadata_props")
    onnx.save(model, path)


def _check(model: PreTrainedModel, example: Inputs, path: Path) -> None:
    with torch.inference_mode():
        expected: torch.Tensor = model(**example).last_hidden_state
    real = example["attention_mask"].bool()
    away = float((open_states(path)(example) - expected)[real].abs().max())
    if not away <= CLOSE:
        raise ModelRefused(f"{type(model).__name__} as an ONNX graph answers differently, by up to {away:.2g}")


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """A draft that takes the place of ``path`` when all went well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", suffix=".onnx", dir=path.parent)
    os.close(handle)
    draft = Path(name)
    try:
        yield draft
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def quiet() -> Iterator[None]:
    """Exporters warn about packages that are not needed here, and about their own deprecations."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
